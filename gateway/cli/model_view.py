"""What `gateway models` shows of a model: as a record for programs, as cells of a table, as a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.text import Text

    from gateway.catalogue import Model, Price

_PER: Final[Mapping[str, str]] = {
    "image": "image",
    "hour": "hour",
    "characters": "M characters",
    "search": "search",
    "request": "request",
}
"""The units of rates that are not those of tokens."""
_THOUSAND: Final = 1000
_MILLION: Final = 1_000_000


def record(name: str, model: Model, at: float) -> dict[str, Any]:
    """All that is known of a model at `at`, under the name by which it is called; null where nobody knows."""
    price = model.price(at)
    return {
        "name": name,
        "provider": model.provider,
        "kind": model.kind,
        "capabilities": list(model.can),
        "context_window": model.context,
        "max_output_tokens": model.max_output,
        "released": _day(model.released),
        "knowledge": model.knowledge,
        "retires": _day(model.retires),
        "retired": model.is_retired(at),
        "price": price and _rates(price),
        "prices": [
            {"from": _date(one.valid_from), "until": _date(one.valid_until), **_rates(one)}
            for one in model.prices
        ],
    }


def note(model: Model, at: float) -> Text:
    """What to beware of: that it has retired, or will; that its price is not known."""
    from rich.text import Text

    if model.is_retired(at):
        return Text(f"retired {model.retires}", "red")
    if model.retires is not None:
        return Text(f"retires {model.retires}", "yellow")
    if model.price(at) is None:
        return Text("no price", "yellow")
    return Text()


def count(tokens: int | None) -> str:
    """A number of tokens as people write it: 128k, 1M; exact only to three digits."""
    if tokens is None:
        return ""
    if tokens < _THOUSAND:
        return str(tokens)
    if tokens < _MILLION:
        return f"{tokens / _THOUSAND:.3g}k"
    return f"{tokens / _MILLION:.3g}M"


def cost(price: Price | None) -> str:
    """A price in one cell: `input / output` per million tokens, and what else is charged for."""
    if price is None:
        return ""
    rates = price.rates()
    parts = [f"{rates['input']:g} / {rates['output']:g}"] if "input" in rates else []
    parts += [f"{rates[unit]:g} per {words}" for unit, words in _PER.items() if unit in rates]
    return " + ".join(parts)


def page(model: Model) -> Iterator[tuple[str, str]]:
    """What is known, beside prices, as pairs to be printed below each other."""
    yield "kind", model.kind or "not known"
    yield "can", ", ".join(word.replace("_", " ") for word in model.can)
    yield "context", "" if model.context is None else f"{model.context:,} tokens"
    yield "output", "" if model.max_output is None else f"at most {model.max_output:,} tokens"
    yield "released", _day(model.released) or ""
    yield "knowledge", f"up to {model.knowledge}" if model.knowledge else ""
    yield "retires", _day(model.retires) or ""


def period(price: Price) -> str:
    """When a price holds."""
    since, until = _date(price.valid_from), _date(price.valid_until)
    said = [f"from {since}"] if since else []
    said += [f"until {until}"] if until else []
    return " ".join(said) or "always"


def rates(price: Price) -> str:
    """Everything that a price charges, in words."""
    text = ", ".join(_worded(name, rate) for name, rate in price.rates().items())
    if price.long is not None:
        text += f"; prompts above {price.above:,} tokens: {rates(price.long)}"
    return text


def _worded(name: str, rate: float) -> str:
    if name in _PER:
        return f"{rate:g} per {_PER[name]}"
    return f"{rate:g} {name.replace('_', ' ')}"


def _rates(price: Price) -> dict[str, Any]:
    long = {"long": {"above": price.above, **price.long.rates()}} if price.long else {}
    return {"currency": "USD", **price.rates(), **long, "version": price.version}


def _day(day: object) -> str | None:
    return None if day is None else str(day)


def _date(moment: float) -> str | None:
    if moment in (0.0, float("inf")):
        return None
    return datetime.fromtimestamp(moment, UTC).date().isoformat()
