"""What clients get, read by the types of the official SDKs as strictly as pydantic can: no value is bent into shape."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from anthropic.types import Message, MessageTokensCount, RawMessageStreamEvent
from google.genai import types as google
from openai.types import CreateEmbeddingResponse, ModerationCreateResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from ..fuzz.answers import SPEAKS, config, fill
from ..fuzz.canned import Canned
from ..fuzz.samples import BODIES, request
from ..fuzz.served import Asked, Got, Served, serving
from .official import events

PROVIDERS = ("mock", *SPEAKS)
JSON = {"content-type": "application/json"}
OPENAI = {
    "/v1/chat/completions": (ChatCompletion, ChatCompletionChunk),
    "/v1/responses": (Response, ResponseStreamEvent),
}
GEMINI = "/v1beta/models/MODEL:"


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(config(drop_params=True), plugins=[Canned]) as served:
        fill(served)
        yield served


def ask(served: Served, path: str, provider: str, *, stream: bool = False, query: bytes = b"") -> Got:
    where, body = request(path, f"{provider}/canned", stream=stream)
    got = served.ask(Asked(path=where, query=query, headers=JSON, body=body))
    assert got.status == 200, got.body
    return got


_adapter = functools.cache(TypeAdapter[Any])


def fits(type_: Any, value: Any) -> None:
    """Raise unless a value is of a type as it stands."""
    _adapter(type_).validate_json(json.dumps(value), strict=True)


@pytest.mark.parametrize("provider", [name for name in PROVIDERS if name not in {"openai", "responses"}])
@pytest.mark.parametrize("path", OPENAI)
def test_openai(served: Served, path: str, provider: str) -> None:
    whole, event = OPENAI[path]
    fits(whole, json.loads(ask(served, path, provider).body))
    seen = list(events(ask(served, path, provider, stream=True).body))
    assert seen
    for each in seen:
        fits(event, each)


def test_openai_embeddings_and_moderations(served: Served) -> None:
    body = json.dumps({"model": "bedrock/canned", "input": "Hello"}).encode()
    got = served.ask(Asked(path="/v1/embeddings", headers=JSON, body=body))
    fits(CreateEmbeddingResponse, json.loads(got.body))
    fits(ModerationCreateResponse, json.loads(ask(served, "/v1/moderations", "mock").body))


@pytest.mark.parametrize("provider", [name for name in PROVIDERS if name != "anthropic"])
def test_anthropic(served: Served, provider: str) -> None:
    fits(Message, json.loads(ask(served, "/v1/messages", provider).body))
    seen = [
        each
        for each in events(ask(served, "/v1/messages", provider, stream=True).body)
        if each["type"] != "ping"
    ]
    assert [seen[0]["type"], seen[-1]["type"]] == ["message_start", "message_stop"]
    for each in seen:
        fits(RawMessageStreamEvent, each)
    fits(MessageTokensCount, json.loads(ask(served, "/v1/messages/count_tokens", provider).body))


@pytest.mark.parametrize("provider", [name for name in PROVIDERS if name != "gemini"])
def test_gemini(served: Served, provider: str) -> None:
    """Google's types forbid fields that they do not know."""
    whole = json.loads(ask(served, f"{GEMINI}generateContent", provider).body)
    google.GenerateContentResponse.model_validate(whole)
    seen = list(events(ask(served, f"{GEMINI}streamGenerateContent", provider, query=b"alt=sse").body))
    assert seen
    for each in [*seen, *json.loads(ask(served, f"{GEMINI}streamGenerateContent", provider).body)]:
        google.GenerateContentResponse.model_validate(each)
    google.CountTokensResponse.model_validate(json.loads(ask(served, f"{GEMINI}countTokens", provider).body))


def test_gemini_embeddings(served: Served) -> None:
    got = json.loads(ask(served, f"{GEMINI}embedContent", "bedrock").body)
    google.ContentEmbedding.model_validate(got["embedding"])


@pytest.mark.parametrize("path", [path for path in BODIES if path.endswith("rerank")])
def test_rerank(served: Served, path: str) -> None:
    """There is no such SDK here, so its fields are named."""
    got = json.loads(ask(served, path, "cohere").body)
    assert all(isinstance(each["index"], int) for each in got["results"])
    assert all(isinstance(each["relevance_score"], float) for each in got["results"])
