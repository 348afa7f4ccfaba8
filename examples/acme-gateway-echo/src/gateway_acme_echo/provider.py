"""The provider: answers in OpenAI's dialect, whole or word by word."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from gateway.errors import ProviderError
from gateway.types import Answer, Attempt, Capability, Dialect


class EchoProvider:
    """Answers with the last message of the chat."""

    dialects: Mapping[Capability, Dialect] = {"chat": "openai.chat"}
    catalogue = "acme-echo"
    models: Sequence[str] = ("parrot",)

    def __init__(self, name: str, *, shout: bool, refuse: str) -> None:
        self.name = name
        self._shout = shout
        self._refuse = refuse

    async def send(self, attempt: Attempt) -> Answer:
        """Answer one chat. Raises `ProviderError` for the text it was told to refuse."""
        text = _last_message(json.loads(attempt.body))
        if self._refuse and self._refuse in text:
            raise ProviderError(
                "The parrot does not say that.",
                provider=self.name,
                status=429,
                code="rude",
                headers=[(b"retry-after", b"2")],
            )
        if self._shout:
            text = text.upper()
        head = {"id": f"echo-{attempt.call.id}", "created": 0, "model": attempt.target.model}
        if attempt.call.stream:
            return Answer(200, [(b"content-type", b"text/event-stream")], stream=_events(head, text))
        body = {
            **head,
            "object": "chat.completion",
            "choices": [
                {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            ],
            "usage": _usage(text),
        }
        return Answer(200, [(b"content-type", b"application/json")], body=json.dumps(body).encode())


async def _events(head: Mapping[str, Any], text: str) -> AsyncIterator[bytes]:
    head = {**head, "object": "chat.completion.chunk"}
    for word in text.split(" "):
        yield _event({**head, "choices": [{"index": 0, "delta": {"content": f"{word} "}}]})
    yield _event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    yield _event({**head, "choices": [], "usage": _usage(text)})
    yield b"data: [DONE]\n\n"


def _event(fields: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def _last_message(body: Mapping[str, Any]) -> str:
    """The text of the last message, which may come in parts."""
    content = body["messages"][-1]["content"]
    if isinstance(content, str):
        return content
    return " ".join(part["text"] for part in content if part["type"] == "text")


def _usage(text: str) -> dict[str, int]:
    words = len(text.split())
    return {"prompt_tokens": words, "completion_tokens": words, "total_tokens": 2 * words}
