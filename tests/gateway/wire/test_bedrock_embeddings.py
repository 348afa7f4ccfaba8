"""Embeddings in the ways of Bedrock's families of models."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.types import Usage
from gateway.wire.bedrock_embeddings import BedrockEmbeddings
from gateway.wire.canonical.embedding import EmbeddingRequest
from gateway.wire.codec import Losses
from gateway.wire.dialect import WireError

CODEC = BedrockEmbeddings()
TITAN, NOVA = "amazon.titan-embed-text-v2:0", "amazon.nova-2-multimodal-embeddings-v1:0"
COHERE_3, COHERE_4 = "cohere.embed-multilingual-v3", "us.cohere.embed-v4:0"


def ask(*inputs: Any, **fields: Any) -> EmbeddingRequest:
    return EmbeddingRequest(dialect="openai.embeddings", model="m", inputs=inputs or ("Hi",), **fields)


def encode(request: EmbeddingRequest, model: str, *drop: str) -> Any:
    losses = Losses("aws", {}, may_drop=drop)
    body = CODEC.encode_request(request, model, losses)
    losses.check()
    return json.loads(body)


@pytest.mark.parametrize(
    ("model", "fields", "body"),
    [
        (
            TITAN,
            {"dimensions": 256, "extra": {"normalize": False}},
            {"inputText": "Hi", "dimensions": 256, "normalize": False},
        ),
        (
            NOVA,
            {"dimensions": 384, "task": "query"},
            {
                "taskType": "SINGLE_EMBEDDING",
                "singleEmbeddingParams": {
                    "embeddingPurpose": "TEXT_RETRIEVAL",
                    "embeddingDimension": 384,
                    "text": {"truncationMode": "NONE", "value": "Hi"},
                },
            },
        ),
        (
            COHERE_4,
            {"dimensions": 512, "task": "classification", "extra": {"truncate": "RIGHT"}},
            {
                "texts": ["Hi"],
                "input_type": "classification",
                "embedding_types": ["float"],
                "output_dimension": 512,
                "truncate": "RIGHT",
            },
        ),
        (
            COHERE_3,
            {"extra": {"input_type": "search_query"}},
            {"texts": ["Hi"], "input_type": "search_query", "embedding_types": ["float"]},
        ),
    ],
)
def test_requests(model: str, fields: dict[str, Any], body: dict[str, Any]) -> None:
    assert encode(ask(**fields), model) == body


def test_several_texts() -> None:
    assert encode(ask("a", "b"), TITAN) == [{"inputText": "a"}, {"inputText": "b"}]
    assert encode(ask("a", "b"), COHERE_4)["texts"] == ["a", "b"]


@pytest.mark.parametrize(
    ("model", "request_", "name"),
    [
        (TITAN, ask((1, 2)), "inputs.tokens"),
        (COHERE_4, ask((1, 2)), "inputs.tokens"),
        (TITAN, ask(user="me"), "user"),
        (TITAN, ask(task="query"), "task"),
        (NOVA, ask(task="similarity"), "task"),
        (COHERE_4, ask(task="similarity"), "task"),
        (COHERE_3, ask(dimensions=256), "dimensions"),
        (NOVA, ask(extra={"normalize": True}), "normalize"),
    ],
)
def test_what_cannot_be_said(model: str, request_: EmbeddingRequest, name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        encode(request_, model)
    assert caught.value.param == name
    encode(request_, model, name)


@pytest.mark.parametrize(
    ("body", "vectors", "tokens"),
    [
        ({"embedding": [0.5, 1], "inputTextTokenCount": 3}, ((0.5, 1.0),), 3),
        (
            [{"embedding": [0.5], "inputTextTokenCount": 3}, {"embedding": [1], "inputTextTokenCount": 4}],
            ((0.5,), (1.0,)),
            7,
        ),
        (
            {"embeddings": {"float": [[0.5], [1]]}, "response_type": "embeddings_by_type"},
            ((0.5,), (1.0,)),
            None,
        ),
        ({"embeddings": [[0.5], [1]], "inputTextTokenCount": 2}, ((0.5,), (1.0,)), 2),
        ({"embeddings": [{"embeddingType": "TEXT", "embedding": [0.5]}]}, ((0.5,),), None),
    ],
)
def test_answers(body: Any, vectors: tuple[Any, ...], tokens: int | None) -> None:
    answer = CODEC.decode_answer(json.dumps(body).encode())
    assert tuple(map(tuple, answer.vectors)) == vectors
    usage = CODEC.usage(answer, ask("12345678"))
    assert usage == (
        Usage(prompt_tokens=2, estimated=True) if tokens is None else Usage(prompt_tokens=tokens)
    )


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b'{"embedding": "x"}', b'{"embeddings": {"int8": []}}'])
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(WireError):
        CODEC.decode_answer(body)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=60) | st.recursive(st.none() | st.text(), st.lists).map(msgspec.json.encode))
def test_no_bytes_crash_it(body: bytes) -> None:
    with contextlib.suppress(WireError):
        CODEC.decode_answer(body)
