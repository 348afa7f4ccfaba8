"""What a call costs: a versioned book of prices, each valid for a period, and the decision for prices nobody knows."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypedDict, cast

from msgspec import Struct
from msgspec.structs import replace

from gateway.errors import ConfigError, InvalidRequest
from gateway.types import NANO, Outcome, Usage

Unknown: TypeAlias = Literal["flag", "refuse", "fallback"]
"""What happens to a call whose price is not known: cost null, refusal, or the price the operator gave for such calls."""

_MILLION = 1_000_000
_REMEMBERED = 4096
"""How many looked-up models a book keeps; clients choose the names, so the number must have a bound."""

_SNAPSHOT = re.compile(r"(.+)-20\d\d(?:-\d\d-\d\d|\d{4})")
"""A family and the day of a snapshot: `gpt-4o-2024-11-20`, `claude-haiku-4-5-20251001`."""

_RATES = frozenset({"input", "output", "cached_read", "cached_write"})
_PERIOD = _RATES | {"from", "until", "long"}
_LONG = _RATES | {"above"}


class _Rates(TypedDict):
    input: int
    output: int
    cached_read: int
    cached_write: int


class Price(Struct, frozen=True, kw_only=True):
    """The price of one model in one period. Rates are 10⁻⁹ of the currency per million tokens."""

    input: int
    output: int
    cached_read: int
    cached_write: int
    version: str
    """Of the book that says so."""
    valid_from: float = 0.0
    """Unix seconds."""
    valid_until: float = float("inf")
    """Unix seconds; the first moment at which it no longer holds."""
    above: int = 0
    """Prompts of more tokens than this cost what `long` says."""
    long: Price | None = None

    def cost(self, usage: Usage) -> int:
        """The cost in 10⁻⁹ of the currency, rounded half to even once, after adding up."""
        if self.long is not None and usage.prompt_tokens > self.above:
            return self.long.cost(usage)
        read, written = usage.cached_read_tokens, usage.cached_write_tokens
        # A provider that counts cached tokens beside the prompt instead of within it must not make the rest negative.
        plain = max(usage.prompt_tokens - read - written, 0)
        millionths = (
            plain * self.input
            + read * self.cached_read
            + written * self.cached_write
            + usage.completion_tokens * self.output
        )
        whole, rest = divmod(millionths, _MILLION)
        return whole + (rest * 2 > _MILLION or (rest * 2 == _MILLION and whole & 1))


def flat_price(input: Decimal, output: Decimal, *, version: str = "fallback") -> Price:
    """Make a price that always holds, from currency units per million tokens.

    Raises `ConfigError` for an amount that cannot be counted in 10⁻⁹ of the currency.
    """
    try:
        rate, out = _nano(input), _nano(output)
    except ValueError as error:
        raise ConfigError([f"[gateway.prices] {error}, unlike {input} or {output}"]) from error
    return Price(input=rate, output=out, cached_read=rate, cached_write=rate, version=version)


class PriceBook:
    """The prices of all models, by catalogue (the provider that sells them) and model."""

    def __init__(self, version: str, prices: Mapping[str, Mapping[str, Sequence[Price]]]) -> None:
        self.version = version
        self._prices = {
            name: {model: tuple(periods) for model, periods in models.items()}
            for name, models in prices.items()
        }
        self._periods = lru_cache(_REMEMBERED)(self._look_up)

    @classmethod
    def load(cls, extra: Path | None = None) -> PriceBook:
        """Read the shipped book, and an extra one in the same format whose prices are asked first.

        Raises `ConfigError` that names every entry of the extra book which cannot be used.
        """
        shipped = files("gateway.ledger").joinpath("data", "prices.toml").read_text("utf-8")
        version, prices = _parse(shipped, "gateway/ledger/data/prices.toml")
        if extra is None:
            return cls(version, prices)
        try:
            text = extra.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError([f"{extra}: cannot read the price book: {error}"]) from error
        own_version, own = _parse(text, str(extra))
        for name, models in own.items():
            catalogue = prices.setdefault(name, {})
            for model, periods in models.items():
                catalogue[model] = [*periods, *catalogue.get(model, ())]
        return cls(f"{version}+{own_version}", prices)

    def find(self, catalogue: str, model: str, at: float) -> Price | None:
        """Return the price in force at `at` (Unix seconds), or None when the book does not know it."""
        for price in self._periods(catalogue, model):
            if price.valid_from <= at < price.valid_until:
                return price
        return None

    def models(self, catalogue: str) -> tuple[str, ...]:
        """Return the models that the book lists by name under a catalogue, in the order of the book."""
        return tuple(model for model in self._prices.get(catalogue, ()) if model != "*")

    def _look_up(self, catalogue: str, model: str) -> tuple[Price, ...]:
        models = self._prices.get(catalogue)
        if models is None:
            return ()
        listed = models.get(model)
        if listed is None and (snapshot := _SNAPSHOT.fullmatch(model)):
            listed = models.get(snapshot[1])
        return listed or models.get("*", ())


class Pricing:
    """Prices calls, and decides about those whose price is not known."""

    def __init__(self, book: PriceBook, *, unknown: Unknown = "flag", fallback: Price | None = None) -> None:
        if unknown == "fallback" and fallback is None:
            raise ConfigError(
                ["[gateway.prices] unknown = 'fallback' needs fallback_input and fallback_output"]
            )
        self.book = book
        self._refuse = unknown == "refuse"
        self._fallback = fallback if unknown == "fallback" else None

    def check(self, catalogue: str, model: str, at: float) -> None:
        """Refuse a call whose price is not known, where that is the decision; call it before the provider.

        Raises `InvalidRequest` (400, `model_price_unknown`).
        """
        if self._refuse and self.book.find(catalogue, model, at) is None:
            raise InvalidRequest(
                f"No price is known for the model {model!r} of {catalogue!r}, and this gateway refuses such calls.",
                code="model_price_unknown",
                param="model",
            )

    def apply(self, outcome: Outcome, catalogue: str, at: float) -> None:
        """Fill in `cost` and `price_version` from `usage` and `upstream_model`.

        Both stay None when there is no usage to price, or no price.
        """
        if outcome.usage is None or outcome.upstream_model is None:
            return
        price = self.book.find(catalogue, outcome.upstream_model, at) or self._fallback
        if price is not None:
            outcome.cost = price.cost(outcome.usage)
            outcome.price_version = price.version


def _parse(text: str, where: str) -> tuple[str, dict[str, dict[str, list[Price]]]]:
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{where}: {error}"]) from error
    problems: list[str] = []
    version = document.pop("version", None)
    if not isinstance(version, str) or not 0 < len(version) <= 19:  # noqa: PLR2004 - two and a "+" fit the ledger's column
        problems.append(f"{where}: version: a text of 1 to 19 characters is required")
    if document.pop("currency", "USD") != "USD":
        problems.append(f"{where}: currency: only 'USD' is supported, the currency of the shipped book")
    prices: dict[str, dict[str, list[Price]]] = {}
    for catalogue, models in document.items():
        if not isinstance(models, dict):
            problems.append(f"{where}: {catalogue}: unknown key; prices stand in tables, [catalogue]")
            continue
        for model, entry in cast("dict[str, Any]", models).items():
            periods = cast("list[Any]", entry) if isinstance(entry, list) else [entry]
            try:
                found = [_period(period, str(version)) for period in periods]
            except ValueError as error:
                problems.append(f"{where}: [{catalogue}] {model!r}: {error}")
            else:
                prices.setdefault(catalogue, {})[model] = _in_turn(found)
    if problems:
        raise ConfigError(problems)
    return str(version), prices


def _in_turn(periods: list[Price]) -> list[Price]:
    """Let every period end where the next one begins, at the latest; the newest comes first."""
    periods = sorted(periods, key=lambda price: price.valid_from, reverse=True)
    following = [float("inf"), *(price.valid_from for price in periods)]
    return [
        replace(price, valid_until=min(price.valid_until, end))
        for price, end in zip(periods, following, strict=False)
    ]


def _period(entry: Any, version: str) -> Price:
    if not isinstance(entry, dict):
        raise ValueError("expected a table such as { from = 2025-01-31, input = 1.25, output = 10 }")  # noqa: TRY004 - one kind of error for all entries
    table = cast("dict[str, Any]", entry)
    _refuse_unknown_keys(table, _PERIOD)
    since, until = _moment(table, "from", 0.0), _moment(table, "until", float("inf"))
    if not since < until:
        raise ValueError("until: must be later than from")
    above, long = 0, None
    if (tier := table.get("long")) is not None:
        if not isinstance(tier, dict):
            raise ValueError("long: expected a table such as { above = 200000, input = 2.5, output = 15 }")
        rates = cast("dict[str, Any]", tier)
        _refuse_unknown_keys(rates, _LONG)
        above = rates.get("above")
        if not isinstance(above, int) or above <= 0:
            raise ValueError("long: above: a positive number of tokens is required")
        long = Price(**_rates(rates), version=version)
    return Price(
        version=version, valid_from=since, valid_until=until, above=above, long=long, **_rates(table)
    )


def _refuse_unknown_keys(table: Mapping[str, Any], known: frozenset[str]) -> None:
    if strange := sorted(table.keys() - known):
        raise ValueError(f"{strange[0]}: unknown key; known are {', '.join(sorted(known))}")


def _rates(table: Mapping[str, Any]) -> _Rates:
    for key in ("input", "output"):
        if key not in table:
            raise ValueError(f"{key}: required, in currency units per million tokens")
    rates = {key: _rate(key, table[key]) for key in _RATES & table.keys()}
    plain = rates["input"]
    return _Rates(
        input=plain,
        output=rates["output"],
        cached_read=rates.get("cached_read", plain),
        cached_write=rates.get("cached_write", plain),
    )


def _rate(key: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(f"{key}: expected a number, in currency units per million tokens")  # noqa: TRY004 - one kind of error for all entries
    try:
        return _nano(Decimal(value))
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error


def _nano(amount: Decimal) -> int:
    """Turn currency units into 10⁻⁹ of them, exactly."""
    if not amount.is_finite() or amount < 0:
        raise ValueError("a price is a number that is not negative")
    scaled = amount * NANO
    if scaled != int(scaled):
        raise ValueError("a price has at most nine decimals")
    return int(scaled)


def _moment(table: Mapping[str, Any], key: str, default: float) -> float:
    value = table.get(key)
    if value is None:
        return default
    if isinstance(value, datetime) or not isinstance(value, date):
        raise ValueError(f"{key}: expected a date such as 2025-01-31")  # noqa: TRY004 - one kind of error for all entries
    return datetime.combine(value, time(), UTC).timestamp()
