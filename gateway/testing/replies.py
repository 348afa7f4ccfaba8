"""OpenAI chat completions as a healthy service sends them: https://platform.openai.com/docs/api-reference/chat."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

DONE = b"data: [DONE]\n\n"
PROMPT_TOKENS = 3


def completion(text: str, model: str) -> bytes:
    """Make a whole answer, with usage."""
    message = {"role": "assistant", "content": text}
    return _json(
        {
            **_head("chat.completion", model),
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": _usage(text),
        }
    )


def completion_events(text: str, model: str) -> Iterator[bytes]:
    """Make a streamed answer, one server-sent event for each word, then usage, then `[DONE]`."""
    head = _head("chat.completion.chunk", model)
    for number, word in enumerate(text.split()):
        delta = {"content": word if number == 0 else f" {word}"}
        if number == 0:
            delta["role"] = "assistant"
        yield _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    yield _event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    yield _event({**head, "choices": [], "usage": _usage(text)})
    yield DONE


def refusal(message: str, *, code: str) -> bytes:
    """Make the body of an error."""
    return _json({"error": {"message": message, "type": "requests", "param": None, "code": code}})


def _head(kind: str, model: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1_700_000_000, "model": model}


def _usage(text: str) -> dict[str, int]:
    words = len(text.split())
    return {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": words,
        "total_tokens": PROMPT_TOKENS + words,
    }


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _event(value: Any) -> bytes:
    return b"data: " + _json(value) + b"\n\n"
