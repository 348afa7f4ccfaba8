from __future__ import annotations

import json

from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gateway.bench import payload
from gateway.wire import WIRES
from gateway.wire.sse import payload as data_of


def test_request_is_about_the_size_that_is_promised():
    assert 1500 < len(payload.chat("gpt-4o-mini")) < 2000


def test_request_is_a_whole_http_request_with_its_key():
    body = payload.chat("m", stream=True)
    head, _, rest = payload.request(body, key="gw_x", headers=["X-A: 1"]).partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /v1/chat/completions HTTP/1.1"
    assert {b"Authorization: Bearer gw_x", b"X-A: 1", b"Content-Length: %d" % len(body)} < set(lines)
    assert rest == body


def test_request_is_read_as_a_call_that_asks_for_usage():
    head = WIRES["openai.chat"].read(payload.chat("m", stream=True))
    assert (head.model, head.stream, head.shows_usage) == ("m", True, True)


def test_answer_is_a_chat_completion():
    head, _, body = payload.answer().partition(b"\r\n\r\n")
    assert b"Content-Length: %d" % len(body) in head
    answer = ChatCompletion.model_validate_json(body)
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_frames_are_chunks_with_an_end():
    frames = payload.stream_frames()
    assert frames[-1].endswith(b"\r\n0\r\n\r\n")
    events: list[bytes] = []
    for frame in frames:
        size, _, rest = frame.partition(b"\r\n")
        events.append(data_of(rest[: int(size, 16)].removesuffix(b"\n\n")))
    assert events.pop() == b"[DONE]"
    assert len(events) == payload.EVENTS
    chunks = [ChatCompletionChunk.model_validate(json.loads(event)) for event in events]
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None
