"""Embeddings of Cohere."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.types import Usage
from gateway.wire.canonical.embedding import EmbeddingAnswer, EmbeddingRequest
from gateway.wire.codec import Losses
from gateway.wire.cohere_embed import CohereEmbedCodec
from gateway.wire.dialect import WireError

CODEC = CohereEmbedCodec()
ANSWER = {
    "id": "da6e",
    "texts": ["hello", "goodbye"],
    "embeddings": {"float": [[0.25, -0.5], [1, 0]]},
    "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 2.0}},
    "response_type": "embeddings_by_type",
}


def ask(**fields: Any) -> EmbeddingRequest:
    given: dict[str, Any] = {"dialect": "openai.embeddings", "model": "m", "inputs": ("hello", "goodbye")}
    return EmbeddingRequest(**{**given, **fields})


def encode(request: EmbeddingRequest, *, may_drop: Any = frozenset()) -> dict[str, Any]:
    losses = Losses("cohere", {}, may_drop=may_drop)
    body = CODEC.encode_request(request, "embed-v4.0", losses)
    losses.check()
    return json.loads(body)


def test_a_request() -> None:
    assert encode(ask(dimensions=256, base64=True, task="query", extra={"truncate": "END"})) == {
        "model": "embed-v4.0",
        "texts": ["hello", "goodbye"],
        "input_type": "search_query",
        "embedding_types": ["float"],
        "output_dimension": 256,
        "truncate": "END",
    }


def test_what_vectors_are_for() -> None:
    assert encode(ask())["input_type"] == "search_document"
    assert encode(ask(task="clustering"))["input_type"] == "clustering"
    assert encode(ask(extra={"input_type": "classification"}))["input_type"] == "classification"


@pytest.mark.parametrize(
    ("request_", "lost"),
    [
        (ask(inputs=((1, 2),)), "inputs.tokens"),
        (ask(user="ann"), "user"),
        (ask(task="similarity"), "task"),
        (ask(extra={"encoding": "x"}), "encoding"),
    ],
)
def test_what_cohere_cannot_say_is_refused_or_dropped(request_: EmbeddingRequest, lost: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        encode(request_)
    assert caught.value.param == lost
    encode(request_, may_drop={lost})


def test_an_answer() -> None:
    answer = CODEC.decode_answer(json.dumps(ANSWER).encode())
    expected = EmbeddingAnswer(model="", vectors=([0.25, -0.5], [1.0, 0.0]), usage=Usage(prompt_tokens=2))
    assert answer == expected
    assert CODEC.usage(answer, ask()) == Usage(prompt_tokens=2)


def test_usage_is_estimated_where_none_is_told() -> None:
    answer = CODEC.decode_answer(json.dumps({**ANSWER, "meta": None}).encode())
    assert CODEC.usage(answer, ask()) == Usage(prompt_tokens=2 + 2, estimated=True)


@given(
    st.binary(max_size=40)
    | st.sampled_from([b"{}", b'{"embeddings": [[1]]}', b'{"embeddings": {"float": 1}}'])
)
def test_what_is_no_answer_is_a_wire_error(body: bytes) -> None:
    with contextlib.suppress(WireError):
        CODEC.decode_answer(body)
        pytest.fail("it was read")
