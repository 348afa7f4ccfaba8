"""Realtime sessions of the mock: each response says again what the user said last.

https://platform.openai.com/docs/api-reference/realtime-server-events
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import msgspec

from gateway.errors import InvalidRequest, ProviderError
from gateway.types import Answer
from gateway_mock.reply import cut, filler
from gateway_mock.script import Rule, Script, find

_AHEAD: Final = 64
"""Events that may wait for a slow client; beyond that the mock waits, too."""


class RealtimeSession:
    """Both sides of one session: what is sent to it, and what it yields."""

    def __init__(self, name: str, model: str, rules: Sequence[Rule]) -> None:
        self._name = name
        self._model = model
        self._rules = rules
        self._events: asyncio.Queue[bytes | ProviderError | None] = asyncio.Queue(_AHEAD)
        self._count = 0
        self._said = ""
        self._settings: dict[str, Any] = {
            "type": "realtime",
            "object": "realtime.session",
            "id": "sess_mock",
            "model": model,
            "output_modalities": ["text"],
        }
        self._events.put_nowait(self._event("session.created", session=self._settings))
        self._closed = asyncio.Event()

    def answer(self) -> Answer:
        """Return the session as a provider's answer."""
        answer = Answer(101, [], stream=self, close=self._closed.set)
        answer.session = self
        return answer

    def __aiter__(self) -> RealtimeSession:
        return self

    async def __anext__(self) -> bytes:
        event = await self._events.get()
        if isinstance(event, ProviderError):
            raise event
        if event is None:
            raise StopAsyncIteration
        return event

    async def send(self, message: str | bytes) -> None:
        """Take a client's event, and answer it."""
        try:
            event: Any = msgspec.json.decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            event = None
        if not isinstance(event, dict):
            await self._refuse("An event is a JSON object.", None)
            return
        fields = cast("dict[str, Any]", event)
        match fields.get("type"):
            case "session.update":
                changes = fields.get("session")
                self._settings |= cast("dict[str, Any]", changes) if isinstance(changes, dict) else {}
                await self._put("session.updated", session=self._settings)
            case "conversation.item.create":
                await self._take(fields.get("item"))
            case "response.create":
                await self._respond()
            case "input_audio_buffer.append" | "response.cancel":
                pass
            case kind:
                await self._refuse(f"Invalid value for 'type': {kind!r}.", fields.get("event_id"))

    async def close(self) -> None:
        """End the session."""
        self._closed.set()
        while self._events.full():
            self._events.get_nowait()
        self._events.put_nowait(None)

    async def _take(self, item: Any) -> None:
        texts = _texts(item)
        if texts:
            self._said = texts[-1]
        given = cast("dict[str, Any]", item) if isinstance(item, dict) else {}
        item = {"id": self._id("item"), "object": "realtime.item", "status": "completed", **given}
        await self._put("conversation.item.added", previous_item_id=None, item=item)
        await self._put("conversation.item.done", previous_item_id=None, item=item)

    async def _respond(self) -> None:
        try:
            script, message = find(self._rules, self._model, self._said)
        except InvalidRequest as error:
            await self._refuse(error.message, None)
            return
        pieces = cut(script.text or (filler(script.chunks) if script.chunks else message) or "Hello.")
        response: dict[str, Any] = {
            "object": "realtime.response",
            "id": self._id("resp"),
            "status": "in_progress",
            "output": [],
            "usage": None,
        }
        await self._put("response.created", response=response)
        item: dict[str, Any] = {
            "id": self._id("item"),
            "object": "realtime.item",
            "type": "message",
            "role": "assistant",
            "status": "in_progress",
            "content": [],
        }
        place: dict[str, Any] = {"response_id": response["id"], "output_index": 0}
        await self._put("response.output_item.added", **place, item=item)
        part: dict[str, Any] = {**place, "item_id": item["id"], "content_index": 0}
        await self._put("response.content_part.added", **part, part={"type": "text", "text": ""})
        for number, piece in enumerate(pieces):
            if script.cut_after == number:
                await self._events.put(
                    ProviderError(
                        f"{self._name} broke the session off.", provider=self._name, code="upstream_cut"
                    )
                )
                return
            if script.chunk_delay_ms:
                await asyncio.sleep(script.chunk_delay_ms / 1000)
            await self._put("response.output_text.delta", **part, delta=piece)
        text = "".join(pieces)
        whole = {"type": "output_text", "text": text}
        await self._put("response.output_text.done", **part, text=text)
        await self._put("response.content_part.done", **part, part={"type": "text", "text": text})
        item |= {"status": "completed", "content": [whole]}
        await self._put("response.output_item.done", **place, item=item)
        usage = _usage(script, prompt=len(cut(message)), made=len(pieces)) if script.usage else None
        done = {**response, "status": "completed", "output": [item], "usage": usage}
        await self._put("response.done", response=done)

    async def _refuse(self, message: str, event_id: Any) -> None:
        error = {
            "type": "invalid_request_error",
            "code": "invalid_event",
            "message": message,
            "param": None,
            "event_id": event_id,
        }
        await self._put("error", error=error)

    async def _put(self, kind: str, **fields: Any) -> None:
        if not self._closed.is_set():
            await self._events.put(self._event(kind, **fields))

    def _event(self, kind: str, **fields: Any) -> bytes:
        return msgspec.json.encode({"type": kind, "event_id": self._id("event"), **fields})

    def _id(self, kind: str) -> str:
        self._count += 1
        return f"{kind}_mock{self._count:06}"


def _texts(item: Any) -> list[str]:
    """Find the texts in an item of a conversation."""
    content = cast("Mapping[str, Any]", item).get("content") if isinstance(item, dict) else None
    parts = cast("list[Any]", content) if isinstance(content, list) else []
    found = [cast("Mapping[str, Any]", part).get("text") for part in parts if isinstance(part, dict)]
    return [text for text in found if isinstance(text, str)]


def _usage(script: Script, *, prompt: int, made: int) -> dict[str, Any]:
    cached = min(script.cached_tokens, prompt)
    return {
        "total_tokens": prompt + made,
        "input_tokens": prompt,
        "output_tokens": made,
        "input_token_details": {"cached_tokens": cached, "text_tokens": prompt, "audio_tokens": 0},
        "output_token_details": {"text_tokens": made, "audio_tokens": 0},
    }
