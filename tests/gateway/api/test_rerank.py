"""Rerank and moderations over HTTP, through the whole gateway."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.testing.pytest_plugin import GatewayFactory
from gateway.testing.upstream import FakeUpstream, Reply
from gateway_cohere import Cohere
from gateway_mock import Mock
from gateway_openai import OpenAI

JSON = {"content-type": "application/json"}
ASK: dict[str, Any] = {"query": "capital", "documents": ["Bergen", "Oslo"]}


def cohere(upstream: FakeUpstream) -> dict[str, Any]:
    return {"provider": {"cohere": {"base_url": upstream.url, "api_key": "co-not-a-real-key"}}}


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank"])
async def test_cohere_is_asked_as_it_is(gateway_factory: GatewayFactory, path: str):
    answer = b'{"id":"r","results":[{"index":1,"relevance_score":0.9}],"meta":{},"new":[1]}'
    async with FakeUpstream() as upstream:
        upstream.reply(Reply(headers=JSON, parts=[answer]))
        async with gateway_factory(cohere(upstream), [Cohere]) as gateway, gateway.client as client:
            response = await client.post(path, json={**ASK, "model": "cohere/rerank-v3.5", "top_k": 1})
        assert (response.status_code, response.content) == (200, answer)
        assert json.loads(upstream.requests[0].body) == {**ASK, "model": "rerank-v3.5", "top_n": 1}


async def test_errors_are_coheres(gateway_factory: GatewayFactory):
    async with FakeUpstream() as upstream:
        upstream.reply(
            Reply(status=429, headers={**JSON, "retry-after": "3"}, parts=[b'{"message": "slow down"}'])
        )
        async with gateway_factory(cohere(upstream), [Cohere]) as gateway, gateway.client as client:
            limited = await client.post("/v2/rerank", json={**ASK, "model": "cohere/rerank-v3.5"})
            unknown = await client.post("/v2/rerank", json={**ASK, "model": "nope"})
            broken = await client.post("/v2/rerank", content=b"{")
    assert (limited.status_code, limited.json()) == (429, {"message": "slow down"})
    assert limited.headers["retry-after"] == "3"
    assert unknown.status_code == 404
    assert list(unknown.json()) == ["message"]
    assert broken.status_code == 400


async def test_voyage_is_translated(gateway_factory: GatewayFactory):
    answer = b'{"object":"list","data":[{"index":1,"relevance_score":0.9}],"usage":{"total_tokens":9}}'
    async with FakeUpstream() as upstream:
        upstream.reply(Reply(headers=JSON, parts=[answer]))
        config = {
            "provider": {
                "voyage": {"use": "openai", "base_url": f"{upstream.url}/v1", "api_key": "pa-not-real"}
            }
        }
        async with gateway_factory(config, [OpenAI]) as gateway, gateway.client as client:
            response = await client.post(
                "/v1/rerank", json={**ASK, "model": "voyage/rerank-2.5", "top_n": 1, "return_documents": True}
            )
        assert response.json()["results"] == [
            {"index": 1, "relevance_score": 0.9, "document": {"text": "Oslo"}}
        ]
        assert upstream.requests[0].path == "/v1/rerank"
        assert json.loads(upstream.requests[0].body)["top_k"] == 1


async def test_moderations(gateway_factory: GatewayFactory):
    config: dict[str, Any] = {
        "provider": {"mock": {}},
        "models": {"omni-moderation-latest": {"targets": ["mock:moderation"]}},
    }
    async with gateway_factory(config, [Mock]) as gateway, gateway.client as client:
        unnamed = await client.post("/v1/moderations", json={"input": "some violence"})
        named = await client.post("/v1/moderations", json={"input": "a calm day", "model": "mock/any"})
        rerank = await client.post("/v2/rerank", json={**ASK, "model": "mock/any"})
    assert (unnamed.json()["model"], unnamed.json()["results"][0]["flagged"]) == ("moderation", True)
    assert (named.json()["model"], named.json()["results"][0]["flagged"]) == ("any", False)
    assert rerank.status_code == 400
    assert "rerank" in rerank.json()["message"]
