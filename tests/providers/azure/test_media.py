"""Pictures and recordings on Azure, asked for through OpenAI's official SDK."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from gateway.testing.pytest_plugin import GatewayFactory
from gateway.testing.upstream import FakeUpstream, Reply

JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("settings", "path", "model"),
    [
        ({}, "/openai/v1/audio/transcriptions", b"team-ear"),
        (
            {"api_version": "2024-10-21"},
            "/openai/deployments/team-ear/audio/transcriptions?api-version=2024-10-21",
            b"ear",
        ),
    ],
)
async def test_a_recording_names_its_deployment(
    gateway_factory: GatewayFactory, settings: dict[str, Any], path: str, model: bytes
) -> None:
    async with FakeUpstream() as upstream:
        upstream.reply(
            Reply(headers=JSON, parts=[b'{"text":"Hi","usage":{"type":"duration","seconds":2}}']),
            Reply(headers=JSON, parts=[b'{"created":1,"data":[{"b64_json":"AA=="}]}']),
        )
        config = {
            "base_url": upstream.url,
            "api_key": "not-a-real-key",
            "deployments": {"ear": "team-ear"},
            **settings,
        }
        async with (
            gateway_factory({"provider": {"azure": config}}) as gateway,
            gateway.client as http,
            AsyncOpenAI(
                base_url="http://gateway/v1", api_key="sk-fake", http_client=http, max_retries=0
            ) as sdk,
        ):
            heard = await sdk.audio.transcriptions.create(model="azure/ear", file=("a.wav", b"RIFF\0\r\n--"))
            request = upstream.requests[-1]
            assert (heard.text, request.path) == ("Hi", path)
            assert b'name="model"\r\n\r\n' + model + b"\r\n" in request.body
            assert b"RIFF\0\r\n--" in request.body
            assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
            edited = await sdk.images.edit(model="azure/painter", image=("a.png", b"\x89PNG"), prompt="A hat")
            assert edited.data is not None
            assert "images/edits" in upstream.requests[-1].path
            with pytest.raises(openai.BadRequestError, match="cannot be used for video"):
                await sdk.post("/videos", body={"model": "azure/x", "prompt": "A fox"}, cast_to=object)
