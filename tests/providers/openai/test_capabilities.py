"""What a service can do beyond chat and embeddings."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.testing.fakes import make_call
from gateway.testing.upstream import FakeUpstream, Reply
from gateway.types import Attempt, Dialect, Target
from gateway.wire import exchange
from gateway_openai.presets import PRESETS

JSON = {"content-type": "application/json"}
RERANK = {"model": "m", "query": "q", "documents": ["a"]}


@pytest.mark.parametrize(
    ("preset", "rerank", "moderates"),
    [
        ("openai", None, True),
        ("mistral", None, True),
        ("groq", None, False),
        ("jina", "cohere.rerank", False),
        ("together", "cohere.rerank", False),
        ("voyage", "voyage.rerank", False),
    ],
)
def test_presets_say_what_they_have(preset: str, rerank: Dialect | None, moderates: bool):
    dialects = PRESETS[preset].dialects()
    assert dialects.get("rerank") == rerank
    assert ("moderation" in dialects) == moderates
    assert dialects["chat"] == "openai.chat"


def test_an_unknown_service_is_asked_for_all(plugin: Any):
    (provider,) = plugin("acme").register_providers()
    assert (provider.dialects["rerank"], provider.dialects["moderation"]) == (
        "cohere.rerank",
        "openai.moderations",
    )


@pytest.mark.parametrize(
    ("body", "client", "dialect", "path"),
    [
        (RERANK, "cohere.rerank", "cohere.rerank", "/v1/rerank"),
        (RERANK, "cohere.rerank", "voyage.rerank", "/v1/rerank"),
        ({"model": "m", "input": "hi"}, "openai.moderations", "openai.moderations", "/v1/moderations"),
    ],
)
async def test_each_has_a_path_of_its_own(
    plugin: Any, upstream: FakeUpstream, body: dict[str, Any], client: Dialect, dialect: Dialect, path: str
):
    upstream.reply(Reply(headers=JSON, parts=[b'{"results":[]}']))
    call = make_call(body, dialect=client)
    sent = exchange(call, dialect, provider="acme").prepare("m")
    (provider,) = plugin().register_providers()
    await provider.send(Attempt(call=call, target=Target("acme", "m", dialect), number=1, body=sent))
    (request,) = upstream.requests
    assert (request.path, request.body) == (path, sent)
