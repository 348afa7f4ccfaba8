"""The sum behind the cost of a call: one line for each thing that was paid for."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from gateway.catalogue.price import HOUR, MILLION, Price, Units, rate_of, taken_off
from gateway.types import Usage


class Line(Struct, frozen=True, kw_only=True):
    """A thing that was paid for."""

    what: str
    amount: int
    """In 10⁻¹⁵ of the currency, or of a credit; negative where something is taken off."""
    quantity: float | None = None
    rate: int | None = None
    """In 10⁻⁹ for as many as `per` says."""
    per: int = 1
    unit: str = ""
    """What is counted, for programs: `input_tokens`, `images`, …; empty for a line without a rate."""
    detail: str = ""
    """Which of them, where they have several rates: a size and quality, or `> 200000` tokens of prompt."""


def lines_of(price: Price, usage: Usage) -> tuple[Line, ...]:
    """Tell what `price.cost(usage)` is made of: the lines add up to it exactly, the last one rounds."""
    cost = price.cost(usage)
    kind = ""
    if price.long is not None and usage.prompt_tokens > price.above:
        price, kind = price.long, f"> {price.above}"
    found = tuple(line for line in _tokens(price, usage, kind) if line.quantity)
    if price.units is not None:
        found += tuple(line for line in _units(price.units, usage) if line.quantity and line.rate)
    if usage.batch_percent:
        less = -taken_off(sum(line.amount for line in found), usage)
        found += (Line(what=f"batch, {usage.batch_percent} % off", amount=less),) if less else ()
    if price.units is not None:
        found += tuple(line for line in _fees(price.units, usage) if line.quantity and line.rate)
    return with_rounding(found, cost)


def with_rounding(lines: tuple[Line, ...], total: int) -> tuple[Line, ...]:
    """Add the line that makes lines add up to a total in 10⁻⁹, where one is needed."""
    rest = total * MILLION - sum(line.amount for line in lines)
    return (*lines, Line(what="rounding", amount=rest)) if rest else lines


def _tokens(price: Price, usage: Usage, kind: str) -> Iterator[Line]:
    """The tokens by their rates: those of sound and of reasoning apart only where they have rates of their own."""
    units = price.units or Units()
    read, written = usage.cached_read_tokens, usage.cached_write_tokens
    prompt = max(usage.prompt_tokens - read - written, 0)
    audio = (
        0
        if units.audio_input is None
        else max(0, min(usage.audio_prompt_tokens, usage.prompt_tokens - read - written))
    )
    spoken = 0 if units.audio_output is None else min(usage.audio_completion_tokens, usage.completion_tokens)
    thoughts = 0 if units.reasoning is None else units.thoughts(usage)
    tier = f" (prompt {kind} tokens)" if kind else ""
    for unit, what, tokens, rate in (
        ("input_tokens", "input tokens", prompt - audio, price.input),
        ("audio_prompt_tokens", "input tokens of sound", audio, units.audio_input),
        ("cached_read_tokens", "tokens read from the cache", read, price.cached_read),
        ("cached_write_tokens", "tokens written to the cache", written, price.cached_write),
        ("output_tokens", "output tokens", usage.completion_tokens - spoken - thoughts, price.output),
        ("audio_completion_tokens", "output tokens of sound", spoken, units.audio_output),
        ("reasoning_tokens", "reasoning tokens", thoughts, units.reasoning),
    ):
        yield Line(
            what=what + tier,
            unit=unit,
            detail=kind,
            quantity=tokens,
            rate=rate,
            per=MILLION,
            amount=tokens * (rate or 0),
        )


def _units(units: Units, usage: Usage) -> Iterator[Line]:
    made = " ".join(filter(None, (usage.size, usage.quality)))
    of = f" ({made})" if made else ""
    image = rate_of(units.images, usage, units.image)
    yield Line(
        what=f"pictures{of}",
        unit="images",
        detail=made,
        quantity=usage.images,
        rate=image,
        amount=usage.images * image * MILLION,
    )
    hour = rate_of(units.films, usage, units.hour)
    seconds = min(max(0.0, usage.seconds), 1e9)
    yield Line(
        what=f"seconds{of}",
        unit="seconds",
        detail=made,
        quantity=seconds,
        rate=hour,
        per=HOUR,
        amount=round(seconds * MILLION) * hour // HOUR,
    )
    for unit, what, quantity, rate, per in (
        ("characters", "characters", usage.characters, units.characters, MILLION),
        ("requests", "request", 1 if usage.prompt_tokens else 0, units.request, 1),
    ):
        yield Line(
            what=what,
            unit=unit,
            quantity=quantity,
            rate=rate,
            per=per,
            amount=quantity * rate * (MILLION // per),
        )


def _fees(units: Units, usage: Usage) -> Iterator[Line]:
    """What the provider's own tools cost: no batch makes them cheaper."""
    for unit, what, quantity, rate in (
        ("searches", "searches", usage.searches, units.search),
        ("file_searches", "searches in files", usage.file_searches, units.file_search),
        ("containers", "containers", usage.containers, units.container),
    ):
        yield Line(what=what, unit=unit, quantity=quantity, rate=rate, amount=quantity * rate * MILLION)
