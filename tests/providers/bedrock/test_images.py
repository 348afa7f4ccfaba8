"""Pictures on Bedrock, asked for through OpenAI's official SDK."""

from __future__ import annotations

import base64
import json

import openai
import pytest
from openai import AsyncOpenAI

from gateway.testing.pytest_plugin import GatewayFactory
from gateway.testing.upstream import FakeUpstream, Reply

JSON = {"content-type": "application/json"}
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()


async def test_pictures_of_both_families(gateway_factory: GatewayFactory) -> None:
    async with FakeUpstream() as upstream:
        config = {"base_url": upstream.url, "region": "us-east-1", "api_key": "not-a-real-key"}
        upstream.reply(Reply(headers=JSON, parts=[json.dumps({"images": [PNG]}).encode()]))
        async with (
            gateway_factory({"provider": {"bedrock": config}}) as gateway,
            gateway.client as http,
            AsyncOpenAI(
                base_url="http://gateway/v1", api_key="sk-fake", http_client=http, max_retries=0
            ) as sdk,
        ):
            made = await sdk.images.generate(model="bedrock/amazon.titan-image-generator-v1", prompt="A fox")
            assert made.data is not None
            assert (made.data[0].b64_json, made.output_format) == (PNG, "png")
            assert upstream.requests[-1].path == "/model/amazon.titan-image-generator-v1/invoke"
            three = await sdk.images.generate(
                model="bedrock/stability.stable-image-core-v1:1", prompt="A fox", n=3
            )
            assert three.data is not None
            assert [image.b64_json for image in three.data] == [PNG] * 3
            assert len(upstream.requests) == 4
            with pytest.raises(openai.BadRequestError, match="cannot stream pictures"):
                await sdk.images.generate(
                    model="bedrock/stability.stable-image-core-v1:1", prompt="A fox", stream=True
                )
