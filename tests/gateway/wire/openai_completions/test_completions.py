"""Legacy completions: passed through where the provider has them, else put to a chat."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.testing.fakes import make_call
from gateway.types import Usage
from gateway.wire import CODECS, WIRES, StreamCut, exchange

WIRE = WIRES["openai.completions"]
ANSWER: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_700_000_000,
    "model": "theirs",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello there."},
            "finish_reason": "length",
            "logprobs": {
                "content": [
                    {
                        "token": "Hello",
                        "logprob": -0.5,
                        "bytes": None,
                        "top_logprobs": [{"token": "Hi", "logprob": -1.5, "bytes": None}],
                    },
                    {"token": " there.", "logprob": -0.25, "bytes": None, "top_logprobs": []},
                ]
            },
        }
    ],
    "usage": {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5},
}


def call(**fields: Any) -> Any:
    return make_call({"model": "m", "prompt": "Once upon", **fields}, dialect="openai.completions")


def asked(**fields: Any) -> dict[str, Any]:
    """What a provider that only chats is sent."""
    return json.loads(exchange(call(**fields), "openai.chat", provider="chatty").prepare("theirs"))


def test_bytes_pass_where_the_provider_has_completions() -> None:
    given = call(prompt=["one", "two"], echo=True, suffix="!", best_of=3, unheard_of=1)
    assert exchange(given, "openai.completions", provider="p").prepare("m") is given.body
    renamed = json.loads(exchange(given, "openai.completions", provider="p").prepare("theirs"))
    assert renamed == {**json.loads(given.body), "model": "theirs"}


def test_a_prompt_becomes_the_users_message() -> None:
    assert asked(
        max_tokens=5, stop="\n", logprobs=2, n=2, best_of=2, echo=False, suffix=None, user="ann"
    ) == {
        "model": "theirs",
        "messages": [{"role": "user", "content": "Once upon"}],
        "max_completion_tokens": 5,
        "stop": ["\n"],
        "logprobs": True,
        "top_logprobs": 2,
        "n": 2,
        "user": "ann",
    }
    assert asked(prompt=["alone"])["messages"] == [{"role": "user", "content": "alone"}]


@pytest.mark.parametrize("prompt", [["one", "two"], [1, 2], [[1, 2]], []])
def test_other_prompts_are_refused_for_a_chat(prompt: Any) -> None:
    with pytest.raises(InvalidRequest, match="one request for each prompt") as caught:
        asked(prompt=prompt)
    assert caught.value.param == "prompt"


def test_what_a_chat_cannot_do_is_named() -> None:
    with pytest.raises(InvalidRequest, match="'chatty'") as caught:
        asked(echo=True, suffix="end", best_of=4)
    for name in ("echo", "suffix", "best_of"):
        assert f"'{name}'" in caught.value.message


@pytest.mark.parametrize(
    ("body", "param"),
    [({"prompt": "a"}, "model"), ({"model": "m"}, "prompt"), ({"model": "", "prompt": "a"}, "model")],
)
def test_bad_requests_name_what_is_wrong(body: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        WIRE.read(json.dumps(body).encode())
    assert caught.value.param == param


def test_a_chats_answer_becomes_a_completion() -> None:
    body, usage = exchange(call(), "openai.chat", provider="p").whole(json.dumps(ANSWER).encode())
    assert usage == Usage(prompt_tokens=2, completion_tokens=3)
    fields = json.loads(body)
    assert fields.pop("usage").items() >= ANSWER["usage"].items()
    assert fields == {
        "id": "chatcmpl-1",
        "object": "text_completion",
        "created": 1_700_000_000,
        "model": "theirs",
        "system_fingerprint": None,
        "choices": [
            {
                "text": "Hello there.",
                "index": 0,
                "finish_reason": "length",
                "logprobs": {
                    "tokens": ["Hello", " there."],
                    "token_logprobs": [-0.5, -0.25],
                    "top_logprobs": [{"Hi": -1.5}, {}],
                    "text_offset": [0, 5],
                },
            }
        ],
    }


def chunk(delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    fields = {"id": "chatcmpl-1", "created": 7, "model": "theirs", "choices": [choice]}
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


STREAM = (
    chunk({"role": "assistant", "content": ""})
    + chunk({"reasoning_content": "Hm."})
    + chunk({"content": "Hello"})
    + chunk({"content": " there."})
    + chunk({}, "stop")
    + b'data: {"choices": [], "usage": {"prompt_tokens": 2, "completion_tokens": 3}}\n\n'
    + b"data: [DONE]\n\n"
)


@pytest.mark.parametrize("shows", [True, False])
def test_a_chats_stream_becomes_a_stream_of_completions(shows: bool) -> None:
    options = {"stream_options": {"include_usage": True}} if shows else {}
    reader = exchange(call(stream=True, **options), "openai.chat", provider="p").reader()
    events = (reader.feed(STREAM) + reader.end()).split(b"\n\n")
    assert events[-2:] == [b"data: [DONE]", b""]
    chunks = [json.loads(event.removeprefix(b"data: ")) for event in events[:-2]]
    assert {(one["id"], one["object"], one["created"], one["model"]) for one in chunks} == {
        ("chatcmpl-1", "text_completion", 7, "theirs")
    }
    said = [(c["text"], c["finish_reason"]) for one in chunks for c in one["choices"]]
    assert said == [("Hello", None), (" there.", None), ("", "stop")]
    assert [one["usage"]["total_tokens"] for one in chunks if one.get("usage")] == ([5] if shows else [])
    assert reader.usage == Usage(prompt_tokens=2, completion_tokens=3)


def test_a_stream_of_a_provider_passes_and_is_counted() -> None:
    given = call(stream=True)
    reader = exchange(given, "openai.completions", provider="p").reader()
    text = b'data: {"choices":[{"text":"12345678","index":0,"finish_reason":null}]}\n\n'
    last = b'data: {"choices":[{"text":"","index":0,"finish_reason":"stop"}]}\n\n'
    assert reader.feed(text + last) == text + last
    with pytest.raises(StreamCut):
        exchange(given, "openai.completions", provider="p").reader().end()
    assert reader.feed(b"data: [DONE]\n\n") + reader.end() == b"data: [DONE]\n\n"
    assert (reader.finished, reader.usage) == (True, None)
    assert reader.estimate(given) == Usage(prompt_tokens=3, completion_tokens=2, estimated=True)


def test_no_provider_is_asked_in_it() -> None:
    with pytest.raises(NotImplementedError):
        CODECS["openai.completions"].decode_answer(b"{}")
