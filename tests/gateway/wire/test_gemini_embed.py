"""Embeddings of Gemini's, to and from others, and as Vertex AI serves them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.types import Usage
from gateway.wire import CODECS
from gateway.wire.codec import Losses
from gateway.wire.dialect import WireError
from gateway.wire.gemini_embed import GeminiEmbedCodec, VertexEmbedCodec

CODEC = GeminiEmbedCodec()


def one(text: str, **settings: Any) -> dict[str, Any]:
    return {"model": "models/m", "content": {"parts": [{"text": text}]}, **settings}


def read(body: dict[str, Any]) -> Any:
    return CODEC.decode_request(json.dumps(body).encode(), model="m", stream=False)


def losses() -> Losses:
    return Losses("gemini", CODEC.names)


@pytest.mark.parametrize(
    "body",
    [
        one("a", taskType="RETRIEVAL_QUERY", outputDimensionality=8, title="T"),
        {"requests": [one("a"), one("b")]},
        {"requests": [one("a", taskType="CLUSTERING")]},
    ],
)
def test_requests_survive(body: dict[str, Any]) -> None:
    told = losses()
    assert json.loads(CODEC.encode_request(read(body), "m", told)) == body
    told.check()


def test_settings_may_stand_in_a_config() -> None:
    body = {"content": {"parts": [{"text": "a"}]}, "embed_content_config": {"output_dimensionality": 8}}
    assert read(body) == read({"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 8})


def test_openai_is_asked_for_the_same_and_answers_in_geminis_shape() -> None:
    request = read({"requests": [one("a", outputDimensionality=2), one("b", outputDimensionality=2)]})
    told = Losses("openai", CODEC.names)
    sent = json.loads(CODECS["openai.embeddings"].encode_request(request, "e", told))
    assert sent == {"model": "e", "input": ["a", "b"], "dimensions": 2}
    data = [{"object": "embedding", "index": n, "embedding": [n, 0.5]} for n in (0, 1)]
    usage = {"prompt_tokens": 2, "total_tokens": 2}
    body = json.dumps({"data": data, "model": "e", "usage": usage}).encode()
    answer = CODECS["openai.embeddings"].decode_answer(body)
    assert json.loads(CODEC.encode_answer(answer, request)) == {
        "embeddings": [{"values": [0.0, 0.5]}, {"values": [1.0, 0.5]}],
        "usageMetadata": {"promptTokenCount": 2, "totalTokenCount": 2},
    }


def test_a_single_request_is_answered_with_one_vector() -> None:
    answer = CODEC.decode_answer(b'{"embedding": {"values": [1.5]}}')
    told = json.loads(CODEC.encode_answer(answer, read(one("four"))))
    assert told["embedding"] == {"values": [1.5]}
    assert CODEC.usage(answer, read(one("four"))) == Usage(prompt_tokens=1, estimated=True)


@pytest.mark.parametrize(
    "body",
    [
        {"requests": []},
        {"requests": [one("a"), one("b", outputDimensionality=3)]},
        one("a", taskType="NO_SUCH_TASK"),
        {"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": ""}}]}},
        {"content": {"parts": [{"text": 1}]}},
        {"content": {"parts": [{"text": "a"}]}, "embedContentConfig": {"outputDimensionality": "many"}},
    ],
)
def test_what_cannot_be_translated_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        read(body)


def test_token_ids_cannot_be_sent() -> None:
    body = json.dumps({"model": "m", "input": [1, 2, 3]}).encode()
    request = CODECS["openai.embeddings"].decode_request(body, model="m", stream=False)
    told = losses()
    CODEC.encode_request(request, "m", told)
    with pytest.raises(InvalidRequest, match=r"inputs\.tokens"):
        told.check()


def test_vertex_predicts() -> None:
    codec = VertexEmbedCodec()
    request = read(one("a", taskType="RETRIEVAL_DOCUMENT", title="T", outputDimensionality=2))
    assert json.loads(codec.encode_request(request, "m", losses())) == {
        "instances": [{"content": "a", "task_type": "RETRIEVAL_DOCUMENT", "title": "T"}],
        "parameters": {"outputDimensionality": 2},
    }
    embeddings = {"values": [1.0], "statistics": {"token_count": 3, "truncated": False}}
    answer = codec.decode_answer(json.dumps({"predictions": [{"embeddings": embeddings}]}).encode())
    assert answer.vectors == ([1.0],)
    assert codec.usage(answer, request) == Usage(prompt_tokens=3)


@pytest.mark.parametrize("body", [b"{}", b"[]", b"nonsense", b'{"embeddings": [{"values": "x"}]}'])
def test_what_is_no_answer(body: bytes) -> None:
    for codec in (CODEC, VertexEmbedCodec()):
        with pytest.raises(WireError):
            codec.decode_answer(body)
