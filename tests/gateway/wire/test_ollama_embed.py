"""Embeddings of Ollama."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.types import Usage
from gateway.wire.canonical.embedding import EmbeddingAnswer, EmbeddingRequest
from gateway.wire.codec import Losses
from gateway.wire.dialect import WireError
from gateway.wire.ollama_embed import OllamaEmbedCodec

CODEC = OllamaEmbedCodec()
ANSWER = {
    "model": "nomic-embed-text",
    "embeddings": [[0.25, -0.5], [1, 0]],
    "total_duration": 14143917,
    "load_duration": 1019500,
    "prompt_eval_count": 8,
}


def ask(**fields: Any) -> EmbeddingRequest:
    given: dict[str, Any] = {"dialect": "openai.embeddings", "model": "m", "inputs": ("hello", "goodbye")}
    return EmbeddingRequest(**{**given, **fields})


def encode(request: EmbeddingRequest, *, may_drop: Any = frozenset()) -> dict[str, Any]:
    losses = Losses("ollama", {}, may_drop=may_drop)
    body = CODEC.encode_request(request, "nomic-embed-text", losses)
    losses.check()
    return json.loads(body)


def test_a_request() -> None:
    assert encode(ask(dimensions=256, base64=True, extra={"keep_alive": "5m", "truncate": False})) == {
        "model": "nomic-embed-text",
        "input": ["hello", "goodbye"],
        "dimensions": 256,
        "keep_alive": "5m",
        "truncate": False,
    }


@pytest.mark.parametrize(
    ("request_", "lost"),
    [
        (ask(inputs=((1, 2),)), "inputs.tokens"),
        (ask(user="ann"), "user"),
        (ask(task="query"), "task"),
        (ask(extra={"input_type": "x"}), "input_type"),
    ],
)
def test_what_ollama_cannot_say_is_refused_or_dropped(request_: EmbeddingRequest, lost: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        encode(request_)
    assert caught.value.param == lost
    encode(request_, may_drop={lost})


def test_an_answer() -> None:
    answer = CODEC.decode_answer(json.dumps(ANSWER).encode())
    assert answer == EmbeddingAnswer(
        model="nomic-embed-text", vectors=([0.25, -0.5], [1.0, 0.0]), usage=Usage(prompt_tokens=8)
    )
    silent = CODEC.decode_answer(b'{"embeddings": [[1]]}')
    assert CODEC.usage(silent, ask()) == Usage(prompt_tokens=4, estimated=True)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"embeddings": [1]}', b"\xff"])
def test_what_is_no_answer_is_a_wire_error(body: bytes) -> None:
    with pytest.raises(WireError):
        CODEC.decode_answer(body)
