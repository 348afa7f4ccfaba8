"""What a tenant's calls of a period were charged, by rate: for each model and dimension a quantity, a rate, a sum.

Calls of text are added up by the database, a row for each way in which they were charged. Only calls that used something
else are read one by one. Where today's book does not lead to what the ledger has, calls are told without a rate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from msgspec.json import decode
from msgspec.structs import replace
from sqlalchemy import BigInteger, and_, case, cast, func, or_, select

from gateway.doors import Charged
from gateway.ledger.charged import Pile, Way, merged
from gateway.ledger.explain import usage_of
from gateway.store.forgetting import call_id_at
from gateway.store.selling_prices import read_selling_prices
from gateway.store.tables import model_calls
from gateway.types import Usage

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.catalogue import Price
    from gateway.ledger.prices import Pricing

_SLACK: Final = 3600.0
"""How far the time in a call's id may be from when it was received."""
_call = model_calls.c
_BY: Final[Mapping[str, ColumnElement[Any]]] = {
    "provider": func.coalesce(_call.provider, ""),
    "model": func.coalesce(_call.upstream_model, _call.model),
    "price_version": _call.price_version,
    "selling": _call.selling,
}
"""Calls that are alike in these were charged in the same way at the same time."""
_prompt, _answer = func.coalesce(_call.prompt_tokens, 0), func.coalesce(_call.completion_tokens, 0)
_READ, _WRITTEN = func.coalesce(_call.cached_read_tokens, 0), func.coalesce(_call.cached_write_tokens, 0)
_THOUGHTS: Final = func.coalesce(_call.reasoning_tokens, 0)
_PLAIN: Final = _prompt - _READ - _WRITTEN
_SUMS: Final[Mapping[str, ColumnElement[Any]]] = {
    "charge": _call.charge,
    "input_tokens": _prompt,
    # As prices count: what is cached never makes the rest negative, and no answer has more thoughts than tokens.
    "plain": case((_PLAIN > 0, _PLAIN), else_=0),
    "cached_read_tokens": _READ,
    "cached_write_tokens": _WRITTEN,
    "output_tokens": _answer,
    "reasoning_tokens": case((_answer > _THOUGHTS, _THOUGHTS), else_=_answer),
    "prompted": case((_prompt > 0, 1), else_=0),
}
_USES: Final = (
    "input_tokens",
    "cached_read_tokens",
    "cached_write_tokens",
    "output_tokens",
    "reasoning_tokens",
)


class RatedCalls:
    """`gateway.doors.Charges`. Reads the selling rules anew each time, so it need not be started."""

    def __init__(
        self,
        pricing: Callable[[], Pricing],
        catalogues: Callable[[], Mapping[str, str]],
    ) -> None:
        """`catalogues` tells the catalogue of each provider. Neither is asked before it is needed."""
        self._pricing = pricing
        self._catalogues = catalogues

    async def charged(
        self, connection: AsyncConnection, tenant: str, since: float, until: float
    ) -> Sequence[Charged]:
        """See the protocol."""
        pricing, catalogues = self._pricing(), self._catalogues()
        pricing.selling.replace(await read_selling_prices(connection))

        def ways(row: Any, first: float, last: float) -> Iterator[Way]:
            return _ways(pricing, catalogues.get(row.provider, row.provider), row, first, last)

        which = _charged(tenant, since, until)
        text = and_(which, _call.units.is_(None))
        found: list[Charged] = []
        for group in (await connection.execute(_added(text))).all():
            found += await _of_text(connection, text, group, list(ways(group, group.first, group.last)))
        query = select(*(one.label(name) for name, one in _BY.items()), model_calls).where(
            which, _call.units.is_not(None)
        )
        piles: dict[tuple[Any, ...], Pile] = {}
        async with connection.stream(query) as rows:
            async for row in rows:
                way = next(ways(row, row.received_at, row.received_at), None)
                if (rest := _piled(piles, row, way)) is not None:
                    found.append(rest)
        for pile in piles.values():
            found += pile.told() or ()
        return merged(found)


def _charged(tenant: str, since: float, until: float) -> ColumnElement[bool]:
    return and_(
        _call.tenant == tenant,
        _call.id >= call_id_at(since - _SLACK),
        _call.id < call_id_at(until + _SLACK),
        _call.received_at >= since,
        _call.received_at < until,
        _call.charge.is_not(None),
        or_(_call.charge != 0, _call.status == "success"),
    )


def _added(which: ColumnElement[bool]) -> Any:
    by = [one.label(name) for name, one in _BY.items()]
    sums = [cast(func.coalesce(func.sum(one), 0), BigInteger).label(name) for name, one in _SUMS.items()]
    received = _call.received_at
    ends = (
        func.min(received).label("first"),
        func.max(received).label("last"),
        func.max(_prompt).label("longest"),
    )
    return select(*by, func.count().label("calls"), *ends, *sums).where(which).group_by(*_BY.values())


def _ways(pricing: Pricing, catalogue: str, row: Any, first: float, last: float) -> Iterator[Way]:
    """How charges of a time may have been made, one way after the other; it breaks off where that is not known."""
    at = first
    while at <= last:
        terms = pricing.selling.named(row.selling, catalogue, row.model, at)
        if terms is None:
            return
        price, factor, until = terms.price, Fraction(1), terms.valid_until
        if price is None:
            price = pricing.of_version(catalogue, row.model, at, row.price_version)
            if price is None:
                return
            factor, until = Fraction(terms.numerator, terms.denominator), price.valid_until
        yield Way(price=price, factor=factor, since=at, until=until)
        at = until


async def _of_text(
    connection: AsyncConnection, which: ColumnElement[bool], group: Any, ways: Sequence[Way]
) -> list[Charged]:
    """A group of calls, taken apart where prices changed in its time or hang on the length of the prompt."""
    if not ways or ways[-1].until <= group.last:
        return [_unrated(group)]
    found: list[Charged] = []
    for way in ways:
        for tier, only, price in _tiers(way.price, group.longest):
            row = group
            if len(ways) > 1 or only is not None:
                alike = [one.is_not_distinct_from(getattr(group, name)) for name, one in _BY.items()]
                time = _call.received_at >= way.since, _call.received_at < way.until
                parts = and_(which, *alike, *time, *(() if only is None else (only,)))
                row = (await connection.execute(_added(parts))).one_or_none()
                if row is None:
                    continue
            pile = Pile(provider=row.provider, model=row.model, by={})
            usage = Usage(
                prompt_tokens=row.plain + row.cached_read_tokens + row.cached_write_tokens,
                completion_tokens=row.output_tokens,
                cached_read_tokens=row.cached_read_tokens,
                cached_write_tokens=row.cached_write_tokens,
                reasoning_tokens=row.reasoning_tokens,
            )
            way_of_tier = replace(way, price=price)
            pile.add(way_of_tier, usage, calls=row.calls, prompted=row.prompted, charge=row.charge, tier=tier)
            found += pile.told() or [_unrated(row)]
    return found


def _tiers(price: Price, longest: int) -> Iterator[tuple[str, ColumnElement[bool] | None, Price]]:
    """The rates of short and of long prompts, and which calls they are for; None for all of them."""
    short = replace(price, long=None)
    if price.long is None or longest <= price.above:
        yield "", None, short
    else:
        yield "", _prompt <= price.above, short
        yield f"> {price.above}", _prompt > price.above, price.long


def _piled(piles: dict[tuple[Any, ...], Pile], row: Any, way: Way | None) -> Charged | None:
    """Put a call to those that were charged alike; give it back where its charge was made in no way that is known."""
    usage = usage_of(row) or Usage()
    if way is not None:
        alone = Pile(provider=row.provider, model=row.model, by={})
        alone.add(way, usage, calls=1, prompted=bool(usage.prompt_tokens), charge=row.charge)
        if alone.told() is not None:
            pile = piles.setdefault(
                (row.provider, row.model), Pile(provider=row.provider, model=row.model, by={})
            )
            pile.add(way, usage, calls=1, prompted=bool(usage.prompt_tokens), charge=row.charge)
            return None
    units: dict[str, Any] = decode(row.units)
    uses = {name: getattr(usage, _NAMES[name]) for name in _USES} | {
        name: count for name, count in units.items() if not isinstance(count, str) and name != "batch_percent"
    }
    return _without_rate(row.provider, row.model, 1, row.charge, uses)


_NAMES: Final = {name: name for name in _USES} | {
    "input_tokens": "prompt_tokens",
    "output_tokens": "completion_tokens",
}
"""What `Usage` calls them."""


def _unrated(row: Any) -> Charged:
    return _without_rate(
        row.provider, row.model, row.calls, row.charge, {name: getattr(row, name) for name in _USES}
    )


def _without_rate(provider: str, model: str, calls: int, charge: int, uses: Mapping[str, Any]) -> Charged:
    return Charged(
        provider=provider,
        model=model,
        unit="calls",
        quantity=Decimal(calls),
        rate=None,
        charge=charge,
        calls=calls,
        uses={name: Decimal(str(count)) for name, count in uses.items() if count},
    )
