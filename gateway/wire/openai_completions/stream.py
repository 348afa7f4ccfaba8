"""Events, as a stream of completions for a client. https://platform.openai.com/docs/api-reference/completions/create."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from gateway.types import Usage
from gateway.wire.canonical import (
    ChatRequest,
    End,
    Event,
    LogprobsDelta,
    RefusalDelta,
    Start,
    Stop,
    TextDelta,
    UsageReport,
)
from gateway.wire.openai_chat.words import usage_fields
from gateway.wire.openai_completions.words import FINISH, logprobs_fields

_DONE: Final = b"data: [DONE]\n\n"


class CompletionEncoder:
    """Writes text, stop reasons and usage; completions have no words for thoughts and the like."""

    __slots__ = ("_fields", "_offsets", "_request", "_usage")

    def __init__(self, request: ChatRequest) -> None:
        self._request = request
        self._fields: dict[str, Any] = {}
        self._offsets: dict[int, int] = {}
        """Of each choice, the characters of the tokens whose logprobs were sent."""
        self._usage: Usage | None = None

    def encode(self, events: Sequence[Event]) -> bytes:
        """Write events."""
        return b"".join(map(self._event, events))

    def _event(self, event: Event) -> bytes:
        match event:
            case TextDelta() | RefusalDelta():
                return self._chunk(event.choice, event.text)
            case LogprobsDelta():
                offset = self._offsets.get(event.choice, 0)
                self._offsets[event.choice] = offset + sum(len(token.token) for token in event.tokens)
                return self._chunk(event.choice, "", logprobs=logprobs_fields(event.tokens, offset))
            case Stop():
                return self._chunk(event.choice, "", finish_reason=FINISH.get(event.reason, "stop"))
            case Start():
                self._fields = {
                    "id": event.id or f"cmpl-{time.time_ns()}",
                    "object": "text_completion",
                    "created": event.created or int(time.time()),
                    "model": event.model or self._request.model,
                }
            case UsageReport():
                self._usage = event.usage
            case End():
                return self._end()
            case _:
                pass
        return b""

    def _chunk(
        self,
        index: int,
        text: str,
        *,
        logprobs: dict[str, Any] | None = None,
        finish_reason: str | None = None,
    ) -> bytes:
        choice = {"text": text, "index": index, "logprobs": logprobs, "finish_reason": finish_reason}
        return self._data({"choices": [choice], **({"usage": None} if self._request.shows_usage else {})})

    def _end(self) -> bytes:
        if not self._request.shows_usage or self._usage is None:
            return _DONE
        return self._data({"choices": [], "usage": usage_fields(self._usage)}) + _DONE

    def _data(self, fields: dict[str, Any]) -> bytes:
        return b"data: " + msgspec.json.encode({**self._fields, **fields}) + b"\n\n"
