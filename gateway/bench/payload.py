"""What goes over the wire in a measurement: chat requests of 1.7 KB, answers of 0.9 KB, streams of 50 events."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

CHAT_PATH = "/v1/chat/completions"
EVENTS = 50
"""Events of a stream, before the final `[DONE]`."""

_ID = "chatcmpl-bench000000000000000000000001"
_CREATED = 1_760_000_000
_USAGE: dict[str, Any] = {
    "prompt_tokens": 342,
    "completion_tokens": 88,
    "total_tokens": 430,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
}
_SYSTEM = (
    "You help the staff of a public library. Say where a book stands, be brief, and never invent a title. "
)
_QUESTION = (
    "Where do I find the letters of the lighthouse keepers, and may I take them home over the weekend? "
)
_ANSWER = 'Second floor, shelf 14 — ask for the "Coast" folder.\nThe letters stay in the reading room. '


def chat(model: str, *, stream: bool = False) -> bytes:
    """Give the JSON body of a chat request: a system prompt and four turns, about 1.7 KB."""
    messages = [{"role": "system", "content": _SYSTEM * 4}]
    for _ in range(3):
        messages += [{"role": "user", "content": _QUESTION}, {"role": "assistant", "content": _ANSWER * 2}]
    messages.append({"role": "user", "content": _QUESTION * 2})
    body: dict[str, Any] = {"model": model, "messages": messages, "temperature": 0.3, "max_tokens": 256}
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return _compact(body)


def request(
    body: bytes, *, path: str = CHAT_PATH, key: str | None = None, headers: Sequence[str] = ()
) -> bytes:
    """Give the whole HTTP/1.1 request that a load generator repeats."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *([f"Authorization: Bearer {key}"] if key else []),
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answer() -> bytes:
    """Give a chat completion with its HTTP head."""
    message: dict[str, Any] = {
        "role": "assistant",
        "content": _ANSWER * 4,
        "refusal": None,
        "annotations": [],
    }
    body = _compact(
        {
            **_base("chat.completion"),
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": _USAGE,
            "service_tier": "default",
        }
    )
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    ) + body


def stream_head() -> bytes:
    """Give the HTTP head of a streamed completion."""
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
        b"Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"
    )


def stream_frames() -> list[bytes]:
    """Give the events of a streamed completion as HTTP chunks; the last one holds `[DONE]` and ends the body."""
    deltas: list[dict[str, str]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": " letters"}] * (EVENTS - 3)
    choices: list[dict[str, Any]] = [
        {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None} for delta in deltas
    ]
    choices.append({"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"})
    base = _base("chat.completion.chunk")
    events = [_compact({**base, "choices": [choice], "usage": None}) for choice in choices]
    events.append(_compact({**base, "choices": [], "usage": _USAGE}))
    return [*(_chunk(event) for event in events), _chunk(b"[DONE]") + b"0\r\n\r\n"]


def _base(kind: str) -> dict[str, Any]:
    return {
        "id": _ID,
        "object": kind,
        "created": _CREATED,
        "model": "gpt-4o-mini",
        "system_fingerprint": "fp_0",
    }


def _chunk(data: bytes) -> bytes:
    event = b"data: " + data + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(event), event)


def _compact(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
