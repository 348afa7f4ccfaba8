"""Gemini's paths: what they say, the key in the query, streams as arrays, and the list of models."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from httpx2 import AsyncClient
from starlette.types import Message

from gateway.api.gemini import take_key
from gateway.api.gemini_array import ArraySend
from gateway.app import Gateway
from gateway_mock import Mock

HI = {"contents": [{"role": "user", "parts": [{"text": "Hello there"}]}]}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncGenerator[AsyncClient]:
    database = f"sqlite:///{tmp_path / 'gateway.db'}"
    config: dict[str, Any] = {"gateway": {"database": database}, "provider": {"mock": {}}}
    gateway = Gateway.from_dict(config, plugins=[Mock])
    async with gateway.lifespan(), gateway.client as client:
        yield client


@pytest.mark.parametrize("path", ["/v1beta/models/mock/echo", "/v1/models/mock/echo"])
async def test_the_path_names_model_and_method(client: AsyncClient, path: str) -> None:
    answer = await client.post(f"{path}:generateContent", json=HI)
    assert answer.status_code == 200, answer.text
    assert answer.json()["candidates"][0]["content"]["parts"] == [{"text": "Hello there"}]
    counted = await client.post(f"{path}:countTokens", json=HI)
    assert counted.json()["totalTokens"] > 0
    embedded = await client.post(f"{path}:embedContent", json={"content": {"parts": [{"text": "a"}]}})
    assert embedded.json()["embedding"]["values"]


async def test_a_stream_is_events_or_an_array(client: AsyncClient) -> None:
    path = "/v1beta/models/mock/echo:streamGenerateContent"
    events = await client.post(f"{path}?alt=sse", json=HI)
    assert events.headers["content-type"].startswith("text/event-stream")
    told = [json.loads(event[6:]) for event in events.text.split("\n\n") if event]
    array = await client.post(path, json=HI)
    assert array.headers["content-type"].startswith("application/json")
    assert len(array.json()) == len(told)
    for chunks in (told, array.json()):
        parts = [part for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"]]
        assert "".join(part["text"] for part in parts) == "Hello there"
        assert chunks[-1]["candidates"][0]["finishReason"] == "STOP"
        assert chunks[-1]["usageMetadata"]["totalTokenCount"] > 0


@pytest.mark.parametrize(
    ("method", "path", "status", "name"),
    [
        ("POST", "/v1beta/models/mock/echo:dance", 404, "NOT_FOUND"),
        ("POST", "/v1beta/models/mock/echo", 404, "NOT_FOUND"),
        ("POST", "/v1beta/:generateContent", 404, "NOT_FOUND"),
        ("POST", "/v1beta/models/none:generateContent", 404, "NOT_FOUND"),
        ("POST", "/v1beta/models/:generateContent", 400, "INVALID_ARGUMENT"),
        ("GET", "/v1beta/models/none/such", 404, "NOT_FOUND"),
        ("GET", "/v1beta/models?pageSize=many", 400, "INVALID_ARGUMENT"),
        ("GET", "/v1beta/elsewhere", 405, "UNIMPLEMENTED"),
        ("DELETE", "/v1beta/models", 405, "UNIMPLEMENTED"),
    ],
)
async def test_errors_have_googles_shape(
    client: AsyncClient, method: str, path: str, status: int, name: str
) -> None:
    answer = await client.request(method, path, json=HI if method == "POST" else None)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["status"]) == (status, status, name)
    assert error["message"]


async def test_openais_clients_keep_their_shapes(client: AsyncClient) -> None:
    assert (await client.get("/v1/models")).json()["object"] == "list"
    refused = await client.post("/v1/models/mock/echo")
    assert refused.status_code == 405
    assert refused.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("how", ["/v1beta/models?", "/v1/models?key=abc&", "/v1/models?"])
async def test_models_come_in_pages(client: AsyncClient, how: str) -> None:
    headers = {"x-goog-api-client": "genai/1"}
    everything = (await client.get(how, headers=headers)).json()["models"]
    assert everything[0]["name"].startswith("models/mock/")
    pages: list[Any] = []
    token = ""
    while True:
        page = (await client.get(f"{how}pageSize=2&pageToken={token}", headers=headers)).json()
        pages += page["models"]
        token = page.get("nextPageToken")
        if not token:
            break
    assert pages == everything
    one = await client.get(f"/v1beta/{everything[0]['name']}")
    assert one.json() == everything[0]


def test_a_key_in_the_query_becomes_a_header() -> None:
    scope: dict[str, Any] = {"headers": [(b"a", b"b")], "query_string": b"alt=sse&key=s%2Fcret"}
    assert take_key(scope) == {"alt": "sse"}
    assert scope["headers"] == [(b"a", b"b"), (b"x-goog-api-key", b"s/cret")]
    assert scope["query_string"] == b"alt=sse", "no log can show it"
    scope = {"headers": [(b"x-goog-api-key", b"mine")], "query_string": b"key=other"}
    take_key(scope)
    assert scope["headers"] == [(b"x-goog-api-key", b"mine")]


async def test_an_array_is_whole_however_many_events_come_at_once() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    array = ArraySend(send)
    await array(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
    )
    for body in (b"\n", b'data: {"a": 1}\n\ndata: {"b": 2}\n\n', b"\n", b'data: {"c": 3}\n\n'):
        await array({"type": "http.response.body", "body": body, "more_body": True})
    await array({"type": "http.response.body", "body": b"", "more_body": False})
    text = b"".join(message["body"] for message in sent[1:])
    assert json.loads(text) == [{"a": 1}, {"b": 2}, {"c": 3}]
    assert not sent[-1].get("more_body")
