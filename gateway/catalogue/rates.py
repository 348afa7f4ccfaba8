"""Reads prices: from the tables of a data file to `Price`s."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypedDict, cast

from msgspec.structs import replace

from gateway.catalogue.model import midnight
from gateway.catalogue.price import HOUR, Price, Units, Variant
from gateway.types import NANO

_TEXT: Final = frozenset({"input", "output", "cached_read", "cached_write"})
_AUDIO: Final = frozenset({"audio_input", "audio_output"})
TOOLS: Final = frozenset({"search", "file_search", "container"})
"""Fees of tools that run at the provider."""
_OTHER: Final = frozenset({"image", "images", "second", "hour", "films", "characters", "request"}) | TOOLS
_FARTHEST: Final = 9
"""Of an exponent: what is larger could take for ever to multiply, what is smaller has too many decimals."""
_BESIDE: Final = _AUDIO | {"reasoning"}
"""Rates that only some tokens have, beside those that all have."""
_RATES: Final = _TEXT | _BESIDE | _OTHER
_PERIOD: Final = _RATES | {"from", "until", "long"}
_WORDS: Final = frozenset({"size", "quality"})
_LONG: Final = _RATES | {"above"}


class _Text(TypedDict):
    input: int
    output: int
    cached_read: int
    cached_write: int


class _Fees(TypedDict):
    search: int
    file_search: int
    container: int


def prices(entry: Any, version: str) -> tuple[Price, ...]:
    """Read the price of a model, one table or a list of them; the newest comes first.

    Every period ends where the next one begins, at the latest. Raises ValueError that begins with the wrong field.
    """
    tables = cast("list[Any]", entry) if isinstance(entry, list) else [entry]
    periods = sorted(
        (_period(table, version) for table in tables), key=lambda price: price.valid_from, reverse=True
    )
    following = [float("inf"), *(price.valid_from for price in periods)]
    return tuple(
        replace(price, valid_until=min(price.valid_until, end))
        for price, end in zip(periods, following, strict=False)
    )


def rates_from_text(table: Mapping[str, Any]) -> dict[str, Any]:
    """Read rates in which numbers are text, as JSON keeps them exactly. Raises ValueError that begins with the wrong field."""
    return {key: _from_text(key, value) for key, value in table.items()}


def _from_text(key: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return rates_from_text(cast("Mapping[str, Any]", value))
    if isinstance(value, list):
        return [_from_text(key, one) for one in cast("list[Any]", value)]
    if not isinstance(value, str) or key in _WORDS:
        return value
    try:
        return date.fromisoformat(value) if key in {"from", "until"} else Decimal(value)
    except (ValueError, InvalidOperation):
        raise ValueError(f"{key}: cannot be read: {value!r}") from None


def nano(amount: Decimal) -> int:
    """Turn currency units into 10⁻⁹ of them, exactly. Raises ValueError where that cannot be."""
    if not amount.is_finite() or amount < 0:
        raise ValueError("a price is a number that is not negative")
    if amount and abs(amount.adjusted()) > _FARTHEST:
        raise ValueError("a price has at most nine decimals and ten digits before them")
    scaled = amount * NANO
    if scaled != int(scaled):
        raise ValueError("a price has at most nine decimals")
    return int(scaled)


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
        if isinstance(above, bool) or not isinstance(above, int) or above <= 0:
            raise ValueError("long: above: a positive number of tokens is required")
        long = Price(**_text(rates), units=_units(rates), version=version)
    return Price(
        **_text(table),
        units=_units(table),
        version=version,
        valid_from=since,
        valid_until=until,
        above=above,
        long=long,
    )


def _refuse_unknown_keys(table: Mapping[str, Any], known: frozenset[str]) -> None:
    if strange := sorted(table.keys() - known):
        raise ValueError(f"{strange[0]}: unknown key; known are {', '.join(sorted(known))}")


def _text(table: Mapping[str, Any]) -> _Text:
    """The rates of tokens; what is priced otherwise needs none."""
    if not table.keys() & _OTHER:
        for key in ("input", "output"):
            if key not in table:
                raise ValueError(f"{key}: required, in currency units per million tokens")
    plain = _rate(table, "input")
    return _Text(
        input=plain,
        output=_rate(table, "output"),
        cached_read=_rate(table, "cached_read", plain),
        cached_write=_rate(table, "cached_write", plain),
    )


def _units(table: Mapping[str, Any]) -> Units | None:
    if not table.keys() & (_BESIDE | _OTHER):
        return None
    if "second" in table and "hour" in table:
        raise ValueError("second: stands beside hour; give one of them")
    return Units(
        audio_input=_rate(table, "audio_input") if "audio_input" in table else None,
        audio_output=_rate(table, "audio_output") if "audio_output" in table else None,
        reasoning=_rate(table, "reasoning") if "reasoning" in table else None,
        image=_rate(table, "image"),
        images=_variants(table, "images", "image", beside=("image",)),
        hour=_rate(table, "second") * HOUR if "second" in table else _rate(table, "hour"),
        films=_variants(table, "films", "second", beside=("second", "hour"), scale=HOUR),
        characters=_rate(table, "characters"),
        **_fees(table),
        request=_rate(table, "request"),
    )


def with_fees(found: tuple[Price, ...], table: Mapping[str, Any]) -> tuple[Price, ...]:
    """Add fees of tools to prices that have none of their own. Raises ValueError that begins with the wrong field."""
    _refuse_unknown_keys(table, TOOLS)
    fees = _fees(table)
    return tuple(_with_fees(price, fees) for price in found)


def _with_fees(price: Price, fees: _Fees) -> Price:
    units, long = price.units or Units(), price.long
    own = units.search or units.file_search or units.container
    added = price if own else replace(price, units=replace(units, **fees))
    return added if long is None else replace(added, long=_with_fees(long, fees))


def _fees(table: Mapping[str, Any]) -> _Fees:
    return _Fees(
        search=_rate(table, "search"),
        file_search=_rate(table, "file_search"),
        container=_rate(table, "container"),
    )


def _variants(
    table: Mapping[str, Any], key: str, unit: str, *, beside: tuple[str, ...], scale: int = 1
) -> tuple[Variant, ...]:
    """The rates of some sizes and qualities, the most exact first; what fits none needs a rate, too."""
    if key not in table:
        return ()
    if not table.keys() & set(beside):
        raise ValueError(f"{key}: needs {' or '.join(beside)} beside it, for all that none of them fits")
    entries: Any = table[key]
    if not isinstance(entries, list):
        raise ValueError(f'{key}: expected a list such as [{{ size = "1024x1536", {unit} = 0.06 }}]')  # noqa: TRY004 - one kind of error for all entries
    found: list[Variant] = []
    for entry in cast("list[Any]", entries):
        if not isinstance(entry, dict) or unit not in entry:
            raise ValueError(f"{key}: {unit}: required in each entry")
        fields = cast("dict[str, Any]", entry)
        _refuse_unknown_keys(fields, frozenset({"size", "quality", unit}))
        size, quality = fields.get("size", ""), fields.get("quality", "")
        if not isinstance(size, str) or not isinstance(quality, str) or not (size or quality):
            raise ValueError(f"{key}: each entry names a size or a quality, as text")
        found.append(Variant(rate=_rate(fields, unit) * scale, size=size, quality=quality))
    return tuple(sorted(found, key=lambda one: (one.size == "") + (one.quality == "")))


def _rate(table: Mapping[str, Any], key: str, default: int = 0) -> int:
    if key not in table:
        return default
    value = table[key]
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(f"{key}: expected a number of currency units")  # noqa: TRY004 - one kind of error for all entries
    try:
        return nano(Decimal(value))
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error


def _moment(table: Mapping[str, Any], key: str, default: float) -> float:
    value = table.get(key)
    if value is None:
        return default
    if isinstance(value, datetime) or not isinstance(value, date):
        raise ValueError(f"{key}: expected a date such as 2025-01-31")  # noqa: TRY004 - one kind of error for all entries
    return midnight(value)
