"""The items of a streamed response that are being written: each says its beginning, its deltas and its end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from gateway.wire.canonical import ToolCall
from gateway.wire.openai_responses.answer import call_item, output_text, reasoning_item, write_citation

_encode = msgspec.json.encode


class Log:
    """Numbers events and writes them, each with its name."""

    __slots__ = ("number", "out")

    def __init__(self) -> None:
        self.number = 0
        self.out: list[bytes] = []

    def event(self, kind: str, fields: dict[str, Any]) -> None:
        """Write one event."""
        body = _encode({"type": kind, "sequence_number": self.number, **fields})
        self.out += (b"event: ", kind.encode(), b"\ndata: ", body, b"\n\n")
        self.number += 1

    def delta(self, head: bytes, text: str) -> None:
        """Write a delta whose head was made before."""
        self.out += (head, b"%d" % self.number, b',"delta":', _encode(text), b"}\n\n")
        self.number += 1


def delta_head(kind: str, fields: dict[str, Any]) -> bytes:
    """Make all of a delta event up to its number."""
    body = _encode({"type": kind, **fields})[:-1]
    return b"event: " + kind.encode() + b"\ndata: " + body + b',"sequence_number":'


_DELTAS: Final = {
    "output_text": ("response.output_text.delta", "response.output_text.done"),
    "refusal": ("response.refusal.delta", "response.refusal.done"),
}


class Words:
    """A message: parts of text, and refusals."""

    def __init__(self, log: Log, place: int, id: str) -> None:
        self._log = log
        self._where = {"item_id": id, "output_index": place}
        self._id = id
        self._place = place
        self._content: list[dict[str, Any]] = []
        self._kind: str | None = None
        self._is_open = False
        self._pieces: list[str] = []
        self._notes: list[dict[str, Any]] = []
        self._head = b""
        self._logprobs: list[dict[str, Any]] = []
        self._untold: list[dict[str, Any]] = []
        log.event("response.output_item.added", {"output_index": place, "item": self._item("in_progress")})

    def say(self, kind: str, text: str) -> None:
        """Write more words of a kind."""
        if kind != self._kind or not self._is_open:
            self._end_part()
            self._begin_part(kind)
        self._pieces.append(text)
        if self._untold and kind == "output_text":
            where = {**self._where, "content_index": len(self._content)}
            self._log.event(_DELTAS[kind][0], {**where, "delta": text, "logprobs": self._untold})
            self._untold = []
        else:
            self._log.delta(self._head, text)

    def weigh(self, logprobs: Iterable[dict[str, Any]]) -> None:
        """Keep how likely tokens are, for the next delta and for the end."""
        fresh = list(logprobs)
        self._untold = [*self._untold, *fresh]
        self._logprobs = [*self._logprobs, *fresh]

    def cite(self, citation: Any) -> None:
        """Write an annotation to the last text, even after its end: the whole item then holds it all the same."""
        if self._kind != "output_text":
            return
        note = write_citation(citation, sum(map(len, self._pieces)))
        part = len(self._content) - (not self._is_open)
        where = {**self._where, "content_index": part, "annotation_index": len(self._notes)}
        self._notes.append(note)
        self._log.event("response.output_text.annotation.added", {**where, "annotation": note})

    def end(self, status: str) -> dict[str, Any]:
        """Write the end; return the whole item."""
        self._end_part()
        item = self._item(status)
        self._log.event("response.output_item.done", {"output_index": self._place, "item": item})
        return item

    def _begin_part(self, kind: str) -> None:
        self._kind, self._is_open = kind, True
        self._pieces, self._notes = [], []
        where = {**self._where, "content_index": len(self._content)}
        self._log.event("response.content_part.added", {**where, "part": self._part(kind)})
        logprobs: dict[str, Any] = {"logprobs": []} if kind == "output_text" else {}
        self._head = delta_head(_DELTAS[kind][0], {**where, **logprobs})

    def _end_part(self) -> None:
        kind = self._kind
        if kind is None or not self._is_open:
            return
        part = self._part(kind)
        where = {**self._where, "content_index": len(self._content)}
        said = (
            {"text": part["text"], "logprobs": part["logprobs"]}
            if kind == "output_text"
            else {"refusal": part["refusal"]}
        )
        self._log.event(_DELTAS[kind][1], {**where, **said})
        self._log.event("response.content_part.done", {**where, "part": part})
        self._content.append(part)
        self._is_open = False
        self._logprobs, self._untold = [], []

    def _part(self, kind: str) -> dict[str, Any]:
        text = "".join(self._pieces)
        if kind == "output_text":
            return output_text(text, self._notes, self._logprobs)
        return {"type": "refusal", "refusal": text}

    def _item(self, status: str) -> dict[str, Any]:
        fields = {"id": self._id, "type": "message", "role": "assistant", "status": status}
        return {**fields, "content": self._content}


class Thoughts:
    """A reasoning item, whose thoughts are shown as a summary."""

    def __init__(self, log: Log, place: int, id: str) -> None:
        self._log = log
        self._id = id
        self._place = place
        self._pieces: list[str] = []
        self._where = {"item_id": id, "output_index": place, "summary_index": 0}
        self._head = delta_head("response.reasoning_summary_text.delta", self._where)
        item = reasoning_item(id, "", None)
        log.event("response.output_item.added", {"output_index": place, "item": item})

    def think(self, text: str) -> None:
        """Write more thoughts."""
        if not self._pieces:
            part = {"type": "summary_text", "text": ""}
            self._log.event("response.reasoning_summary_part.added", {**self._where, "part": part})
        self._pieces.append(text)
        self._log.delta(self._head, text)

    def end(self, encrypted: str | None) -> dict[str, Any]:
        """Write the end; return the whole item."""
        text = "".join(self._pieces)
        if self._pieces:
            part = {"type": "summary_text", "text": text}
            self._log.event("response.reasoning_summary_text.done", {**self._where, "text": text})
            self._log.event("response.reasoning_summary_part.done", {**self._where, "part": part})
        item = reasoning_item(self._id, text, encrypted)
        self._log.event("response.output_item.done", {"output_index": self._place, "item": item})
        return item


class Calling:
    """A tool call."""

    def __init__(self, log: Log, place: int, id: str, call: ToolCall) -> None:
        self._log = log
        self._id = id
        self._place = place
        self._call = call
        self._pieces: list[str] = []
        self._kind = "response.custom_tool_call_input" if call.custom else "response.function_call_arguments"
        self._where = {"item_id": id, "output_index": place}
        self._head = delta_head(f"{self._kind}.delta", self._where)
        item = call_item(id, call, status="in_progress")
        log.event("response.output_item.added", {"output_index": place, "item": item})

    def argue(self, text: str) -> None:
        """Write more arguments."""
        self._pieces.append(text)
        self._log.delta(self._head, text)

    def end(self, status: str) -> dict[str, Any]:
        """Write the end; return the whole item."""
        text = "".join(self._pieces)
        call = ToolCall(id=self._call.id, name=self._call.name, arguments=text, custom=self._call.custom)
        said = {"input": text} if call.custom else {"arguments": text, "name": call.name}
        self._log.event(f"{self._kind}.done", {**self._where, **said})
        item = call_item(self._id, call, status=status)
        self._log.event("response.output_item.done", {"output_index": self._place, "item": item})
        return item
