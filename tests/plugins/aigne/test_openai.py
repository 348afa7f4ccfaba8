"""Chat completions that are OpenAI's on the wire, whatever names the fields of the request have."""

from __future__ import annotations

import io
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI, NotFoundError

from gateway_aigne import words

from .conftest import Hub

HELLO: dict[str, Any] = {"role": "user", "content": "Hello"}


class _Visit:
    """As far as words need it."""

    def __init__(self, accept: bytes = b"*/*") -> None:
        self.headers = {b"accept": accept}


def put(body: Any, accept: bytes = b"*/*", words_for: Any = words.chat) -> tuple[str, Any]:
    """The dialect and the fields that a body becomes."""
    dialect, made = words_for(words.msgspec.json.encode(body), _Visit(accept))
    return dialect, words.msgspec.json.decode(made)


def test_the_hubs_names_become_openais() -> None:
    called = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    image = {"type": "image_url", "imageUrl": {"url": "https://example.com/a.png"}}
    given: dict[str, Any] = {
        "model": "m",
        "messages": [
            {"role": "user", "content": [image]},
            {"role": "assistant", "content": None, "toolCalls": [called]},
            {"role": "tool", "content": "1", "toolCallId": "c"},
        ],
        "topP": 0.5,
        "maxTokens": 5,
        "presencePenalty": 1,
        "frequencyPenalty": 1,
        "toolChoice": "auto",
        "responseFormat": {"type": "json_schema", "jsonSchema": {"name": "n", "schema": {}}},
    }
    assert put(given) == (
        "openai.chat",
        {
            "model": "m",
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}],
                },
                {"role": "assistant", "content": None, "tool_calls": [called]},
                {"role": "tool", "content": "1", "tool_call_id": "c"},
            ],
            "top_p": 0.5,
            "max_tokens": 5,
            "presence_penalty": 1,
            "frequency_penalty": 1,
            "tool_choice": "auto",
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
        },
    )


def test_what_is_openais_passes_untouched() -> None:
    body = (
        b'{ "model":"m", "messages":[{"role":"developer","content":"x"}], "seed":1, "unheard_of":{"topP":1} }'
    )
    assert words.chat(body, _Visit()) == ("openai.chat", body)  # type: ignore[arg-type]


def test_a_prompt_is_a_message_and_events_are_a_stream() -> None:
    assert put({"model": "m", "prompt": "Hi"}, b"text/event-stream")[1] == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
    }
    assert put({"model": "m", "prompt": "Hi", "maxTokens": 3}, words_for=words.completions) == (
        "openai.completions",
        {"model": "m", "prompt": "Hi", "max_tokens": 3},
    )
    assert put({"model": "m", "messages": [HELLO]}, words_for=words.completions)[0] == "openai.chat"


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"{"])
def test_what_cannot_be_read_is_left_to_the_dialect(hub: Hub, body: bytes) -> None:
    for path in ("chat/completions", "completions", "embeddings", "image/generations", "audio/speech"):
        answer = hub.client.post(f"/api/v2/{path}", content=body, headers=dict(hub.key()))
        assert answer.status_code == 400, path
        assert answer.json()["error"]["message"]


def test_openais_sdk_works(hub: Hub) -> None:
    async def talk() -> None:
        client = AsyncOpenAI(
            base_url="http://gateway/api/v2",
            api_key=hub_key.removeprefix("Bearer "),
            http_client=httpx2.AsyncClient(transport=httpx2.ASGITransport(app=hub.gateway)),
            max_retries=0,
        )
        async with client:
            create = client.chat.completions.create
            whole = await create(model="mock/echo", messages=[{"role": "user", "content": "Hi"}])
            assert whole.choices[0].message.content == "Hi"
            stream = await create(
                model="mock/echo", messages=[{"role": "user", "content": "Hi you"}], stream=True
            )
            said = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
            assert "".join(said) == "Hi you"
            with pytest.raises(NotFoundError):
                await create(model="no/such", messages=[{"role": "user", "content": "Hi"}])

    hub_key = hub.key()["authorization"]
    hub.run(talk)


def test_pictures_speech_and_transcriptions_are_metered(hub: Hub) -> None:
    key = hub.key("media")
    made = hub.post(
        "/api/v2/image/generations",
        {"model": "mock/pictures", "prompt": "a cat", "responseFormat": "b64_json"},
        key,
    )
    assert made.json()["data"][0]["b64_json"]
    edited = hub.post(
        "/api/v2/image/generations",
        {"model": "mock/pictures", "prompt": "a dog", "image": "data:image/png;base64,iVBORw0KGgo="},
        key,
    )
    assert edited.status_code == 200, edited.text
    spoken = hub.post(
        "/api/v2/audio/speech",
        {"model": "mock/voice", "input": "Hello", "voice": "a", "responseFormat": "wav"},
        key,
    )
    assert spoken.content.startswith(b"RIFF")
    heard = hub.client.post(
        "/api/v2/audio/transcriptions",
        data={"model": "mock/ears"},
        files={"file": ("a.wav", io.BytesIO(spoken.content), "audio/wav")},
        headers=dict(key),
    )
    assert heard.json()["text"]
    calls = hub.settled(key)
    assert [call["type"] for call in calls] == [
        "transcription",
        "audioGeneration",
        "imageGeneration",
        "imageGeneration",
    ]
    assert all(call["status"] == "success" for call in calls)
