"""Messages as a healthy Anthropic sends them: https://platform.claude.com/docs/en/api/messages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

INPUT_TOKENS = 3


def message(text: str, model: str) -> bytes:
    """Make a whole answer, with usage."""
    content = [{"type": "text", "text": text}]
    usage = {"input_tokens": INPUT_TOKENS, "output_tokens": len(text.split())}
    return json.dumps(
        {**_head(model), "content": content, "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}
    ).encode()


def message_events(text: str, model: str) -> Iterator[bytes]:
    """Make a streamed answer, one event for each word."""
    usage = {"input_tokens": INPUT_TOKENS, "output_tokens": 1}
    start: dict[str, Any] = {
        **_head(model),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    yield event("message_start", {"message": start})
    yield event("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}})
    yield event("ping", {})
    for number, word in enumerate(text.split()):
        delta = {"type": "text_delta", "text": word if number == 0 else f" {word}"}
        yield event("content_block_delta", {"index": 0, "delta": delta})
    yield event("content_block_stop", {"index": 0})
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    yield event("message_delta", {"delta": stop, "usage": {"output_tokens": len(text.split())}})
    yield event("message_stop", {})


def refusal(message: str, *, type: str = "rate_limit_error") -> bytes:
    """Make the body of an error."""
    error = {"type": type, "message": message}
    return json.dumps({"type": "error", "error": error, "request_id": "req_upstream_1"}).encode()


def event(name: str, fields: Mapping[str, Any]) -> bytes:
    """Make one event of a stream."""
    return f"event: {name}\ndata: {json.dumps({'type': name, **fields})}\n\n".encode()


def _head(model: str) -> dict[str, Any]:
    return {"id": "msg_upstream_1", "type": "message", "role": "assistant", "model": model}
