"""What goes out to services for pictures and recordings: forms and their content types, streams, and who has what."""

from __future__ import annotations

from typing import Any

import httpx2
import openai
import pytest
from openai import AsyncOpenAI

from gateway.testing.pytest_plugin import GatewayFactory
from gateway.testing.upstream import FakeUpstream, Reply

JSON = {"content-type": "application/json"}
DONE = (
    b'data: {"type":"transcript.text.done","text":"Hi","usage":'
    b'{"type":"tokens","input_tokens":1,"output_tokens":1,"total_tokens":2}}\n\n'
)


def sdk_of(http: httpx2.AsyncClient) -> AsyncOpenAI:
    return AsyncOpenAI(base_url="http://gateway/v1", api_key="sk-fake", http_client=http, max_retries=0)


def service(upstream: FakeUpstream, **settings: Any) -> dict[str, Any]:
    return {"use": "openai", "base_url": f"{upstream.url}/v1", "api_key": "not-a-real-key", **settings}


async def test_a_recording_streams_also_where_stream_options_are_refused(
    gateway_factory: GatewayFactory,
) -> None:
    async with FakeUpstream() as upstream:
        upstream.reply(Reply(headers={"content-type": "text/event-stream"}, parts=[DONE]))
        config = {"provider": {"mistral": service(upstream)}}
        async with gateway_factory(config) as gateway, gateway.client as http, sdk_of(http) as sdk:
            stream = await sdk.audio.transcriptions.create(
                model="mistral/voxtral", file=("a.wav", b"RIFF"), stream=True
            )
            assert [event.type async for event in stream] == ["transcript.text.done"]
        assert b'name="stream"\r\n\r\ntrue' in upstream.requests[-1].body


async def test_a_recording_that_comes_whole_though_a_stream_was_asked_for(
    gateway_factory: GatewayFactory,
) -> None:
    async with FakeUpstream() as upstream:
        upstream.reply(Reply(headers=JSON, parts=[b'{"text":"Hi","duration":1}']))
        config = {"provider": {"far": service(upstream)}}
        async with gateway_factory(config) as gateway, gateway.client as http:
            answer = await http.post(
                "/v1/audio/transcriptions",
                files={"file": b"RIFF"},
                data={"model": "far/whisper", "stream": "true"},
            )
            assert answer.json()["text"] == "Hi"


async def test_json_is_json_whatever_the_client_calls_it(gateway_factory: GatewayFactory) -> None:
    async with FakeUpstream() as upstream:
        upstream.reply(Reply(headers=JSON, parts=[b'{"created":1,"data":[{"b64_json":"AA=="}]}']))
        config = {"provider": {"far": service(upstream)}}
        async with gateway_factory(config) as gateway, gateway.client as http:
            body = '{"model":"far/p","prompt":"A hat","images":[{"file_id":"f"}]}'
            answer = await http.post(
                "/v1/images/edits",
                content=body,
                headers={"content-type": "application/x-www-form-urlencoded"},
            )
            assert answer.status_code == 200
        assert upstream.requests[-1].headers["content-type"] == "application/json"


async def test_sound_with_a_cover_page_is_no_sound(gateway_factory: GatewayFactory) -> None:
    async with FakeUpstream() as upstream:
        upstream.reply(Reply(headers={"content-type": "text/html"}, parts=[b"<html>Busy.</html>"]))
        config = {"provider": {"far": service(upstream)}}
        async with gateway_factory(config) as gateway, gateway.client as http, sdk_of(http) as sdk:
            with pytest.raises(openai.APIStatusError, match="text/html"):
                await sdk.audio.speech.create(model="far/tts", voice="alloy", input="Hello")


async def test_who_has_no_pictures_is_not_asked_for_them(gateway_factory: GatewayFactory) -> None:
    async with FakeUpstream() as upstream:
        config = {"provider": {"groq": service(upstream), "openai": service(upstream)}}
        async with gateway_factory(config) as gateway, gateway.client as http, sdk_of(http) as sdk:
            with pytest.raises(openai.BadRequestError, match="cannot be used for image calls"):
                await sdk.images.generate(model="groq/x", prompt="A fox")
            with pytest.raises(openai.BadRequestError, match="cannot be used for video calls"):
                await sdk.post("/videos", body={"model": "openai/sora-2", "prompt": "A fox"}, cast_to=object)
        assert upstream.requests == []
