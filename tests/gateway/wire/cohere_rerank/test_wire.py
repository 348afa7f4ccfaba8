"""Rerank as clients ask for it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import InvalidRequest, ProviderError
from gateway.testing.fakes import make_call
from gateway.types import Usage
from gateway.wire.cohere_rerank import CohereRerank
from gateway.wire.dialect import WireError

WIRE = CohereRerank()
BODY: dict[str, Any] = {
    "model": "rerank-v3.5",
    "query": "capital",
    "documents": ["Oslo", "Bergen"],
    "top_n": 1,
}
RESULTS = [{"index": 1, "relevance_score": 0.9}]


def encoded(**fields: Any) -> bytes:
    return json.dumps({**BODY, **fields}).encode()


def test_the_model_is_read() -> None:
    head = WIRE.read(encoded())
    assert (head.model, head.stream) == ("rerank-v3.5", False)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (encoded(model=""), "model"),
        (encoded(query=""), "query"),
        (encoded(documents=[]), "documents"),
        (encoded(documents="Oslo"), "documents"),
        (encoded(top_n="two"), "top_n"),
        (b'{"model": "m", "documents": ["a"]}', "query"),
        (b'{"model": "m", "query": "a"}', "documents"),
        (b"{", None),
    ],
)
def test_what_is_wrong_is_named(body: bytes, param: str | None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        WIRE.read(body)
    assert caught.value.param == param


def test_bytes_are_untouched_where_nothing_must_change() -> None:
    body = encoded(a_new_field=[1])
    call = make_call(json.loads(body), dialect=WIRE.name)
    assert WIRE.prepare(call, "rerank-v3.5") == call.body
    sent = json.loads(WIRE.prepare(call, "other"))
    assert sent == {**json.loads(body), "model": "other"}


def test_voyages_word_for_the_limit_is_understood() -> None:
    given = {name: value for name, value in BODY.items() if name != "top_n"}
    call = make_call({**given, "top_k": 2}, dialect=WIRE.name)
    assert json.loads(WIRE.prepare(call, "rerank-v3.5")) == {**given, "top_n": 2}


@pytest.mark.parametrize(
    ("fields", "usage"),
    [
        ({"meta": {"billed_units": {"search_units": 1.0}}}, Usage(searches=1)),
        (
            {"meta": {"billed_units": {"search_units": 2}, "tokens": {"input_tokens": 40.0}}},
            Usage(searches=2, prompt_tokens=40),
        ),
        ({"usage": {"total_tokens": 15}}, Usage(prompt_tokens=15)),
        ({"usage": {"prompt_tokens": 12, "total_tokens": 15}}, Usage(prompt_tokens=12)),
        ({"usage": {"search_units": 1, "total_tokens": 150}}, Usage(searches=1, prompt_tokens=150)),
        ({}, None),
    ],
)
def test_usage(fields: dict[str, Any], usage: Usage | None) -> None:
    assert WIRE.usage(json.dumps({"results": RESULTS, **fields}).encode()) == usage


def test_usage_is_estimated_as_such_models_work() -> None:
    call = make_call(
        {**BODY, "query": "1234", "documents": ["12345678"] * 150 + [{"text": "12"}]}, dialect=WIRE.name
    )
    tokens = (4 * 151 + 8 * 150 + 2 + 3) // 4
    assert WIRE.estimate(call, b"{}") == Usage(prompt_tokens=tokens, searches=2, estimated=True)


def test_what_is_no_answer_is_a_wire_error() -> None:
    with pytest.raises(WireError):
        WIRE.usage(b"<html>")


def test_errors_are_shaped_as_coheres() -> None:
    error = ProviderError("invalid api token", provider="cohere", status=401)
    assert json.loads(WIRE.error(error)) == {"message": "invalid api token"}


def test_it_does_not_stream() -> None:
    with pytest.raises(InvalidRequest, match="streamed"):
        WIRE.reader(make_call(BODY, dialect=WIRE.name))
