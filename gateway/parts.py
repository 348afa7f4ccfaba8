"""Parts of the gateway, made from its settings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from gateway.config import Config, proxies_from_environment
from gateway.ledger import PriceBook, Pricing, RatedCalls, flat_price
from gateway.ledger.selling import SellingPrices, usual_terms
from gateway.protocols import Provider
from gateway.upstream import Client, Guard, Limits, Timeouts
from gateway.wire import EVERYTHING


def dropped_of(setting: bool | tuple[str, ...]) -> Collection[str]:
    """The parameters that may be left out."""
    if isinstance(setting, bool):
        return EVERYTHING if setting else frozenset()
    return frozenset(setting)


def client_of(config: Config, *, public_only: bool) -> Client:
    """The client for providers, or the one for addresses that users can set."""
    seconds, sizes = config.settings.timeouts, config.settings.upstream
    return Client(
        timeouts=Timeouts(
            connect=seconds.connect, first_byte=seconds.first_byte, idle=seconds.idle, total=seconds.total
        ),
        limits=Limits(
            max_connections=sizes.max_connections,
            max_idle=sizes.max_idle,
            max_body_bytes=sizes.max_answer_bytes,
        ),
        proxies=proxies_from_environment(),
        guard=Guard(config.settings.egress.allow, public_only=public_only),
    )


def pricing_of(config: Config, book: PriceBook) -> Pricing:
    """What calls cost, and what is charged for them."""
    prices = config.settings.prices
    fallback = None
    if prices.fallback_input is not None and prices.fallback_output is not None:
        fallback = flat_price(prices.fallback_input, prices.fallback_output)
    usual = usual_terms(prices.margin_percent, prices.credit_price)
    selling = SellingPrices(usual, prices.credit_price, prices.selling_book)
    return Pricing(book, unknown=prices.unknown, fallback=fallback, selling=selling)


def charges_of(config: Config, providers: Callable[[], Sequence[Provider]]) -> RatedCalls:
    """What calls were charged, for commands; the price book is read when it is first asked for."""
    return RatedCalls(
        lambda: pricing_of(config, PriceBook.load(config.settings.prices.book)),
        lambda: {one.name: one.catalogue for one in providers()},
    )
