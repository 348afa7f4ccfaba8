"""OpenAI's embeddings, to and from the canonical form."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.types import Usage
from gateway.wire import CODECS, WireError
from gateway.wire.canonical.embedding import EmbeddingAnswer, EmbeddingRequest
from gateway.wire.codec import Losses
from gateway.wire.openai_embeddings import OpenAIEmbeddingsCodec

CODEC = OpenAIEmbeddingsCodec()
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


def decoded(**fields: Any) -> EmbeddingRequest:
    body = json.dumps({"model": "m", **fields}).encode()
    return CODEC.decode_request(body, model="m", stream=False)


def encoded(request: EmbeddingRequest, may_drop: frozenset[str] = frozenset()) -> dict[str, Any]:
    losses = Losses("somewhere", CODEC.names, may_drop=may_drop)
    body = CODEC.encode_request(request, "theirs", losses)
    losses.check()
    return json.loads(body)


def answer(vectors: list[Any], **fields: Any) -> bytes:
    data = [{"object": "embedding", "index": n, "embedding": v} for n, v in enumerate(vectors)]
    return json.dumps({"object": "list", "data": data, "model": "theirs", **fields}).encode()


def test_it_is_known() -> None:
    assert isinstance(CODECS["openai.embeddings"], OpenAIEmbeddingsCodec)


@pytest.mark.parametrize(
    ("given", "inputs", "several"),
    [
        ("one", ("one",), False),
        (["one"], ("one",), True),
        (["one", "two"], ("one", "two"), True),
        ([1, 2, 3], ((1, 2, 3),), False),
        ([[1, 2], [3]], ((1, 2), (3,)), True),
    ],
)
def test_inputs_come_in_four_shapes(given: Any, inputs: Any, several: bool) -> None:
    request = decoded(input=given)
    assert (request.inputs, request.several) == (inputs, several)
    assert encoded(request) == {"model": "theirs", "input": given}


@pytest.mark.parametrize("given", [[], ["a", 1], ["a", [1]], [1, [1]]])
def test_other_shapes_are_refused_by_name(given: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decoded(input=given)
    assert caught.value.param == "input"


def test_everything_is_kept() -> None:
    request = decoded(
        input="a", dimensions=3, encoding_format="base64", user="ann", input_type="query", nothing=None
    )
    assert (request.dimensions, request.base64, request.user) == (3, True, "ann")
    assert encoded(request) == {
        "model": "theirs",
        "input": "a",
        "dimensions": 3,
        "user": "ann",
        "input_type": "query",
    }


def test_what_it_cannot_say_is_refused() -> None:
    request = EmbeddingRequest(
        dialect="gemini.embed", model="m", inputs=("a",), task="query", extra={"title": "T"}
    )
    with pytest.raises(InvalidRequest, match=r"'task' and 'title' cannot be expressed"):
        encoded(request)
    assert encoded(request, frozenset({"task", "title"})) == {"model": "theirs", "input": ["a"]}


@given(st.lists(st.lists(FLOATS, min_size=1, max_size=5), min_size=1, max_size=3))
def test_base64_and_floats_say_the_same(vectors: list[list[float]]) -> None:
    raw = [base64.b64encode(struct.pack(f"<{len(v)}f", *v)).decode() for v in vectors]
    read = CODEC.decode_answer(answer(raw, usage={"prompt_tokens": 7, "total_tokens": 7}))
    assert [list(vector) for vector in read.vectors] == vectors
    assert read == CODEC.decode_answer(answer(vectors, usage={"prompt_tokens": 7}))
    whole = json.loads(CODEC.encode_answer(read, decoded(input="a")))
    assert [item["embedding"] for item in whole["data"]] == vectors
    packed = json.loads(CODEC.encode_answer(read, decoded(input="a", encoding_format="base64")))
    assert [item["embedding"] for item in packed["data"]] == raw


def test_an_answer_as_openai_writes_it() -> None:
    given = EmbeddingAnswer(model="theirs", vectors=([0.5, -1.0], [2.0, 0.25]), usage=Usage(prompt_tokens=4))
    assert json.loads(CODEC.encode_answer(given, decoded(input=["a", "b"]))) == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [0.5, -1.0]},
            {"object": "embedding", "index": 1, "embedding": [2.0, 0.25]},
        ],
        "model": "theirs",
        "usage": {"prompt_tokens": 4, "total_tokens": 4},
    }


def test_vectors_are_put_in_order() -> None:
    data = [{"index": 1, "embedding": [1.0]}, {"index": 0, "embedding": [0.0]}]
    read = CODEC.decode_answer(json.dumps({"data": data}).encode())
    assert [list(vector) for vector in read.vectors] == [[0.0], [1.0]]


def test_usage_is_estimated_when_nobody_says() -> None:
    read = CODEC.decode_answer(answer([[1.0]]))
    assert CODEC.usage(read, decoded(input=["12345", "1234"])) == Usage(prompt_tokens=3, estimated=True)
    assert CODEC.usage(read, decoded(input=[1, 2, 3])) == Usage(prompt_tokens=3, estimated=True)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"data": [{"embedding": "*"}]}', b'{"data": [{"embedding": "AAAA"}]}', b"\xff"],
)
def test_what_is_no_answer_is_a_wire_error(body: bytes) -> None:
    with pytest.raises(WireError):
        CODEC.decode_answer(body)
