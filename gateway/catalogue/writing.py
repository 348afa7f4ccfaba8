"""Writes a price book, in the format that `reading` reads: TOML, or the same as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final, cast

from msgspec.structs import replace

from gateway.catalogue.model import Model
from gateway.catalogue.price import HOUR, Price, Units, Variant
from gateway.catalogue.rates import rates_from_text
from gateway.types import NANO

_FOR_EVER: Final = float("inf")
_DATES: Final = frozenset({"released", "retires"})


def document_of(models: Iterable[Model], version: str) -> dict[str, Any]:
    """The document that says of these models what is known of them."""
    document: dict[str, Any] = {"version": version, "currency": "USD"}
    for model in models:
        fields: dict[str, Any] = {
            "kind": model.kind,
            "can": list(model.can) or None,
            "context": model.context,
            "max_output": model.max_output,
            "released": model.released,
            "knowledge": model.knowledge,
            "retires": model.retires,
            "batch_percent": model.batch_percent,
            "price": [_period(price) for price in _in_force(model)] or None,
        }
        listed = {name: value for name, value in fields.items() if value is not None}
        document.setdefault(model.provider, {})[model.name] = listed
    return document


def to_toml(document: Mapping[str, Any]) -> str:
    """Write a document, a table for each model."""
    lines = [f"{key} = {_value(value)}" for key, value in document.items() if not isinstance(value, dict)]
    for provider, models in document.items():
        if not isinstance(models, dict):
            continue
        for name, fields in cast("dict[str, dict[str, Any]]", models).items():
            lines += ["", f"[{_key(provider)}.{_key(name)}]"]
            lines += [f"{key} = {_value(value)}" for key, value in fields.items()]
    return "\n".join(lines) + "\n"


def to_json(document: Mapping[str, Any]) -> str:
    """Write a document; amounts are text, so that they stay exact."""
    return json.dumps(document, indent=2, default=str, ensure_ascii=False) + "\n"


def from_json(text: str) -> dict[str, Any]:
    """Read what `to_json` has written, numbers as numbers or as text. Raises ValueError."""
    document = json.loads(text, parse_float=Decimal)
    if not isinstance(document, dict):
        raise ValueError("a price book is an object, with version, currency and providers")  # noqa: TRY004 - one kind of error for all
    return {
        key: {name: _fields(fields) for name, fields in cast("dict[str, Any]", value).items()}
        if isinstance(value, dict)
        else value
        for key, value in cast("dict[str, Any]", document).items()
    }


def _fields(fields: Any) -> Any:
    """The fields of a model, with the dates and amounts that JSON has no words for."""
    if not isinstance(fields, dict):
        return fields
    found = dict(cast("dict[str, Any]", fields))
    for name in _DATES & found.keys():
        found[name] = date.fromisoformat(found[name])
    price: Any = found.get("price")
    if isinstance(price, dict):
        found["price"] = rates_from_text(cast("dict[str, Any]", price))
    elif isinstance(price, list):
        found["price"] = [rates_from_text(one) for one in cast("list[Any]", price)]
    return found


def _in_force(model: Model) -> list[Price]:
    """The price of each time, the newest first: where several hold, the one asked first, as no file can say by itself."""
    moments = sorted({moment for one in model.prices for moment in (one.valid_from, one.valid_until)})
    found: list[Price] = []
    for since, until in pairwise(moments):
        price = model.price(since)
        if price is None:
            continue
        if (
            found
            and found[0].valid_until == since
            and replace(price, valid_from=0.0, valid_until=0.0)
            == replace(found[0], valid_from=0.0, valid_until=0.0)
        ):
            found[0] = replace(found[0], valid_until=until)
        else:
            found.insert(0, replace(price, valid_from=since, valid_until=until))
    return found


def _period(price: Price) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if price.valid_from > 0:
        found["from"] = _day(price.valid_from)
    if price.valid_until < _FOR_EVER:
        found["until"] = _day(price.valid_until)
    found |= _rates(price)
    if price.long is not None:
        found["long"] = {"above": price.above, **_rates(price.long)}
    return found


def _rates(price: Price) -> dict[str, Any]:
    found: dict[str, Any] = {"input": _amount(price.input), "output": _amount(price.output)}
    for name in ("cached_read", "cached_write"):
        if getattr(price, name) != price.input:
            found[name] = _amount(getattr(price, name))
    units = price.units or Units()
    for name in ("audio_input", "audio_output", "reasoning"):
        if getattr(units, name) is not None:
            found[name] = _amount(getattr(units, name))
    for name in ("image", "hour", "characters", "search", "file_search", "container", "request"):
        if getattr(units, name):
            found[name] = _amount(getattr(units, name))
    if units.images:
        found["images"] = [_variant(one, "image", 1) for one in units.images]
        found.setdefault("image", Decimal(0))
    if units.films:
        found["films"] = [_variant(one, "second", HOUR) for one in units.films]
        found.setdefault("hour", Decimal(0))
    return found


def _variant(variant: Variant, unit: str, scale: int) -> dict[str, Any]:
    said = {"size": variant.size, "quality": variant.quality}
    return {**{name: word for name, word in said.items() if word}, unit: _amount(variant.rate // scale)}


def _amount(nano: int) -> Decimal:
    return Decimal(nano) / NANO


def _day(moment: float) -> date:
    return datetime.fromtimestamp(moment, UTC).date()


def _value(value: Any) -> str:
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value).items()
        return "{ " + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in pairs) + " }"
    if isinstance(value, list):
        items = [_value(item) for item in cast("list[Any]", value)]
        return f"[{', '.join(items)}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() and name.isascii() else json.dumps(name)
