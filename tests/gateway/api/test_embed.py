"""Embeddings as Cohere's clients ask for them, of Cohere untouched, and of other providers."""

from __future__ import annotations

import base64
import json
from array import array
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from gateway.testing.pytest_plugin import GatewayFactory
from gateway.testing.upstream import FakeUpstream, Reply

BOTH = pytest.mark.parametrize("path", ["/v1/embed", "/v2/embed"])
VECTORS = [[0.5, 0.25], [1.0, 0.0]]
ASKED: dict[str, Any] = {"texts": ["tide", "bread"], "input_type": "search_document"}
USED = {"prompt_tokens": 9, "total_tokens": 9}
OPENAIS = {
    "object": "list",
    "model": "m",
    "data": [{"object": "embedding", "index": n, "embedding": one} for n, one in enumerate(VECTORS)],
    "usage": USED,
}


@pytest.fixture
async def upstream() -> AsyncGenerator[FakeUpstream]:
    async with FakeUpstream() as server:
        yield server


def said(answer: Any) -> Reply:
    return Reply(headers={"content-type": "application/json"}, parts=[json.dumps(answer).encode()])


async def ask(
    gateway_factory: GatewayFactory, upstream: FakeUpstream, path: str, body: Any, **core: Any
) -> tuple[int, str | None, dict[str, Any]]:
    """Return the status, what was dropped, and the answer."""
    own = {"cohere": upstream.url, "openai": f"{upstream.url}/v1", "gemini": f"{upstream.url}/v1beta"}
    table = {name: {"base_url": url, "api_key": "not-a-real-key"} for name, url in own.items()}
    async with gateway_factory({"provider": table, "gateway": core}) as gateway, gateway.client as http:
        answer = await http.post(path, json=body)
    return answer.status_code, answer.headers.get("x-gateway-dropped"), answer.json()


@BOTH
async def test_cohere_is_asked_in_its_clients_own_words(
    gateway_factory: GatewayFactory, upstream: FakeUpstream, path: str
) -> None:
    answer = {"id": "e", "embeddings": {"int8": [[5, 2]]}, "meta": {"billed_units": {"input_tokens": 9}}}
    upstream.reply(said({**answer, "a_field_of_tomorrow": 1}))
    body = {
        "model": "cohere/embed-v4.0",
        "images": ["data:image/png;base64,aGk="],
        "embedding_types": ["int8"],
    }
    status, _, got = await ask(gateway_factory, upstream, path, body)
    assert (status, got) == (200, {**answer, "a_field_of_tomorrow": 1})
    (request,) = upstream.requests
    assert request.path == path
    assert json.loads(request.body) == {**body, "model": "embed-v4.0"}


async def test_others_answer_by_type(gateway_factory: GatewayFactory, upstream: FakeUpstream) -> None:
    upstream.reply(said(OPENAIS))
    body = {"model": "openai/m", **ASKED, "embedding_types": ["float", "base64"], "output_dimension": 2}
    status, dropped, got = await ask(gateway_factory, upstream, "/v2/embed", body)
    assert (status, dropped) == (200, "input_type")
    assert json.loads(upstream.requests[0].body) == {
        "model": "m",
        "input": ["tide", "bread"],
        "dimensions": 2,
    }
    assert got["response_type"] == "embeddings_by_type"
    assert got["embeddings"]["float"] == VECTORS
    assert [array("f", base64.b64decode(one)).tolist() for one in got["embeddings"]["base64"]] == VECTORS
    assert (got["texts"], got["meta"]["billed_units"]) == (["tide", "bread"], {"input_tokens": 9})


@pytest.mark.parametrize(
    ("types", "kind", "vectors"),
    [(None, "embeddings_floats", VECTORS), (["float"], "embeddings_by_type", {"float": VECTORS})],
)
async def test_the_first_version_has_bare_vectors(
    gateway_factory: GatewayFactory, upstream: FakeUpstream, types: Any, kind: str, vectors: Any
) -> None:
    upstream.reply(said(OPENAIS))
    body = {"model": "openai/m", **ASKED, "embedding_types": types}
    _, _, got = await ask(gateway_factory, upstream, "/v1/embed", body)
    assert (got["response_type"], got["embeddings"]) == (kind, vectors)
    assert got["meta"]["api_version"] == {"version": "1"}


async def test_what_vectors_are_for_is_told_to_those_who_ask(
    gateway_factory: GatewayFactory, upstream: FakeUpstream
) -> None:
    upstream.reply(said({"embeddings": [{"values": one} for one in VECTORS]}))
    texts = [{"content": [{"type": "text", "text": text}]} for text in ASKED["texts"]]
    body = {"model": "gemini/e", "inputs": texts, "input_type": "search_query", "truncate": "END"}
    status, dropped, _ = await ask(gateway_factory, upstream, "/v2/embed", body)
    assert (status, dropped) == (200, None)
    requests = json.loads(upstream.requests[0].body)["requests"]
    assert [one["taskType"] for one in requests] == ["RETRIEVAL_QUERY"] * 2


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"texts": []}, "texts"),
        ({"images": ["data:image/png;base64,aGk="]}, "images"),
        ({"inputs": [{"content": [{"type": "image_url", "image_url": {"url": "data:"}}]}]}, "inputs"),
        ({"input_type": "poetry"}, "input_type"),
        ({"embedding_types": ["int8"]}, "embedding_types"),
        ({"truncate": "START"}, "truncate"),
        ({"priority": 5}, "priority"),
    ],
)
async def test_what_others_cannot_do_is_refused_by_name(
    gateway_factory: GatewayFactory, upstream: FakeUpstream, fields: dict[str, Any], named: str
) -> None:
    status, _, got = await ask(
        gateway_factory, upstream, "/v2/embed", {"model": "openai/m", **ASKED, **fields}
    )
    assert (status, set(got)) == (400, {"message"})
    assert f"'{named}'" in got["message"]
    assert not upstream.requests


async def test_what_vectors_are_for_is_refused_where_nothing_may_be_dropped(
    gateway_factory: GatewayFactory, upstream: FakeUpstream
) -> None:
    body = {"model": "openai/m", **ASKED}
    status, _, got = await ask(gateway_factory, upstream, "/v2/embed", body, drop_params=False)
    assert status == 400
    assert "'input_type'" in got["message"]
