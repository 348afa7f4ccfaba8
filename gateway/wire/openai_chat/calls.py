"""Tool calls in a stream: made whole and steady, whatever the service sends."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from gateway.wire.canonical import Event, ToolCallDelta, ToolCallStart
from gateway.wire.dialect import WireError
from gateway.wire.openai_chat.answer import Custom, Function, arguments_text
from gateway.wire.openai_chat.words import read_signature


class CallDelta(Struct, gc=False):
    """A piece of a tool call."""

    index: int | None = None
    id: str | None = None
    function: Function | None = None
    custom: Custom | None = None
    extra_content: Any = None


class _Open(Struct):
    """A tool call that has begun."""

    number: int
    id: str | None = None
    started: bool = False
    held: str = ""
    """Arguments that came before the name."""


class Calls:
    """The tool calls of one choice.

    Some services leave out the index, or say 0 for each call; some leave out the id, or repeat it; some send the name
    later than the first arguments. Events are counted from 0, begin with id and name, and say each of them once.
    """

    __slots__ = ("_all", "_by_index", "_choice", "_last")

    def __init__(self, choice: int) -> None:
        self._choice = choice
        self._all: list[_Open] = []
        self._by_index: dict[int, _Open] = {}
        self._last: _Open | None = None

    @property
    def any(self) -> bool:
        """Whether there are some."""
        return bool(self._all)

    def add(self, delta: CallDelta, events: list[Event]) -> None:
        """Read a piece."""
        custom, function = delta.custom, delta.function
        if custom is not None:
            name, text = custom.name, custom.input or ""
        elif function is not None:
            name, text = function.name, arguments_text(function.arguments)
        else:
            name, text = None, ""
        call = self._find(delta, name)
        if call.started:
            if text:
                events.append(ToolCallDelta(call.number, text, self._choice))
            return
        call.held += text
        call.id = call.id or delta.id
        if name:
            call.started = True
            signature = read_signature(delta.extra_content)
            events.append(
                ToolCallStart(
                    call.number,
                    call.id or f"call_{self._choice}_{call.number}",
                    name,
                    self._choice,
                    custom is not None,
                    signature,
                )
            )
            if call.held:
                events.append(ToolCallDelta(call.number, call.held, self._choice))
                call.held = ""

    def end(self) -> None:
        """Note that no more will come. Raises `WireError` for a call whose name never came."""
        if not all(call.started for call in self._all):
            raise WireError("the answer has a tool call without a name")

    def _find(self, delta: CallDelta, name: str | None) -> _Open:
        index = delta.index
        call = self._last if index is None else self._by_index.get(index)
        if call is None or (name and call.started and delta.id and delta.id != call.id):
            call = _Open(len(self._all), delta.id or None)
            self._all.append(call)
            if index is not None:
                self._by_index[index] = call
        self._last = call
        return call
