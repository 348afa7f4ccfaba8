"""GET /v1/models: OpenAI's fields, and what is known beside them."""

from __future__ import annotations

from typing import Any

import pytest

from gateway import Gateway

CONFIG: Any = {
    "provider": {"openai": {"api_key": "not-a-real-key"}, "mock": {}},
    "models": {"fast": {"targets": ["openai:gpt-5-mini", "openai:gpt-4o"]}},
}


@pytest.fixture
async def models(tmp_path: Any) -> dict[str, dict[str, Any]]:
    config = {**CONFIG, "gateway": {"database": f"sqlite:///{tmp_path}/gateway.db"}}
    gateway = Gateway.from_dict(config)
    async with gateway.lifespan(), gateway.client as client:
        answer = await client.get("/v1/models")
        assert answer.status_code == 200
        one = await client.get("/v1/models/openai/gpt-5-mini")
        listed = {model["id"]: model for model in answer.json()["data"]}
        assert one.json() == listed["openai/gpt-5-mini"]
        return listed


def test_what_is_known_is_told(models: dict[str, dict[str, Any]]):
    mini = models["openai/gpt-5-mini"]
    assert (mini["object"], mini["owned_by"], mini["created"]) == ("model", "openai", 1_754_524_800)
    assert (mini["kind"], mini["context_window"], mini["max_output_tokens"]) == ("chat", 272_000, 128_000)
    assert {"tools", "vision"} <= set(mini["capabilities"])
    assert mini["pricing"]["currency"] == "USD"
    assert mini["pricing"]["input"] > 0


def test_an_alias_tells_the_least_of_its_targets(models: dict[str, dict[str, Any]]):
    assert models["fast"]["owned_by"] == "gateway"
    assert models["fast"]["context_window"] == 128_000
    assert "thinking" not in models["fast"]["capabilities"]


def test_what_nobody_knows_is_left_out(models: dict[str, dict[str, Any]]):
    assert set(models["mock/echo"]) == {"id", "object", "created", "owned_by", "pricing"}


def test_what_has_retired_is_not_listed(models: dict[str, dict[str, Any]]):
    assert "openai/gpt-4" not in models


async def test_the_clients_of_others_are_told_the_limits_in_their_own_words(tmp_path: Any):
    config = {**CONFIG, "gateway": {"database": f"sqlite:///{tmp_path}/gateway.db"}}
    gateway = Gateway.from_dict(config)
    async with gateway.lifespan(), gateway.client as client:
        path = "/v1/models/openai/gpt-5-mini"
        claude = (await client.get(path, headers={"anthropic-version": "2023-06-01"})).json()
        gemini = (await client.get(path.replace("v1", "v1beta"))).json()
        unknown = (await client.get("/v1beta/models/mock/echo")).json()
    assert (claude["max_input_tokens"], claude["max_tokens"]) == (272_000, 128_000)
    assert claude["created_at"] == "2025-08-07T00:00:00Z"
    assert (gemini["inputTokenLimit"], gemini["outputTokenLimit"]) == (272_000, 128_000)
    assert "inputTokenLimit" not in unknown


async def test_googles_clients_are_told_which_methods_a_model_has(tmp_path: Any):
    config = {
        "gateway": {"database": f"sqlite:///{tmp_path}/gateway.db"},
        "provider": {
            "gemini": {"api_key": "not-a-real-key"},
            "openai": {"api_key": "not-a-real-key"},
            "cohere": {"api_key": "not-a-real-key"},
            "mock": {},
        },
        "models": {"talker": {"targets": ["gemini:gemini-3.8-live"]}},
    }
    chats = {"generateContent", "streamGenerateContent", "countTokens"}
    embeds = {"embedContent", "batchEmbedContents"}
    expected = {
        "gemini/gemini-2.5-flash": chats,
        "gemini/gemini-3.8-live": {"bidiGenerateContent"},
        "talker": {"bidiGenerateContent"},
        "openai/gpt-5-mini": chats,
        "openai/gpt-realtime": set[str](),  # which is not to be had by Google's interface
        "openai/text-embedding-3-small": embeds | {"countTokens"},
        "openai/omni-moderation-latest": set[str](),
        "mock/echo": chats | embeds,
        "gemini/new-one": {*chats, *embeds, "bidiGenerateContent"},  # nobody knows what it is
    }
    gateway = Gateway.from_dict(config)
    async with gateway.lifespan(), gateway.client as client:
        listed = (await client.get("/v1beta/models?pageSize=1000")).json()["models"]
        assert any("bidiGenerateContent" in model["supportedGenerationMethods"] for model in listed)
        for name, methods in expected.items():
            one = (await client.get(f"/v1beta/models/{name}")).json()
            assert set(one["supportedGenerationMethods"]) == methods, name
