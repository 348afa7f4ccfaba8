"""Usage is the same whether an answer passes through or is translated: nothing that is paid for is left out."""

from __future__ import annotations

import msgspec

from gateway.types import Usage
from gateway.wire.openai_chat import ChatReader, OpenAIChat
from gateway.wire.openai_chat.codec import OpenAIChatCodec

USED = {
    "prompt_tokens": 100,
    "completion_tokens": 40,
    "prompt_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 20, "audio_tokens": 10},
    "completion_tokens_details": {"reasoning_tokens": 8, "audio_tokens": 5},
}
USAGE = Usage(
    prompt_tokens=100,
    completion_tokens=40,
    cached_read_tokens=30,
    cached_write_tokens=20,
    reasoning_tokens=8,
    audio_prompt_tokens=10,
    audio_completion_tokens=5,
)
CHOICE = {"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}


def test_of_a_whole_answer() -> None:
    body = msgspec.json.encode({"id": "a", "model": "m", "choices": [CHOICE], "usage": USED})
    assert OpenAIChat().usage(body) == USAGE
    assert OpenAIChatCodec().decode_answer(body).usage == USAGE


def test_of_a_stream() -> None:
    reader = ChatReader(hides_usage=True)
    reader.feed(b"data: " + msgspec.json.encode({"choices": [], "usage": USED}) + b"\n\n")
    assert reader.usage == USAGE
