"""Rerank to and from the canonical form, and Voyage's."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.testing.fakes import make_call
from gateway.types import Usage
from gateway.wire import exchange
from gateway.wire.canonical.rerank import Ranked, RerankAnswer, RerankRequest
from gateway.wire.codec import Losses
from gateway.wire.cohere_rerank import CohereRerankCodec
from gateway.wire.dialect import WireError

CODEC = CohereRerankCodec()
words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
documents = words | st.dictionaries(words, words, min_size=1, max_size=2)
requests = st.builds(
    RerankRequest,
    dialect=st.just("cohere.rerank"),
    model=st.just("m"),
    query=words,
    documents=st.lists(documents, min_size=1, max_size=4).map(tuple),
    top_n=st.none() | st.integers(1, 5),
    return_documents=st.booleans(),
    max_tokens_per_doc=st.none() | st.integers(1, 5000),
    extra=st.dictionaries(st.just("rank_fields"), st.lists(words, min_size=1, max_size=2)),
)


@given(requests)
def test_a_request_comes_back_as_it_was(request: RerankRequest) -> None:
    losses = Losses("p", {})
    body = CODEC.encode_request(request, "m", losses)
    losses.check()
    assert CODEC.decode_request(body, model="m", stream=False) == request


@given(
    requests,
    st.lists(st.tuples(st.integers(0, 3), st.floats(0, 1)), max_size=4),
    st.integers(1, 9),
    st.integers(0, 99),
)
def test_an_answer_comes_back_as_it_was(
    request: RerankRequest, found: list[tuple[int, float]], searches: int, tokens: int
) -> None:
    answer = RerankAnswer(
        id="r1",
        results=tuple(Ranked(index=index, score=score) for index, score in found),
        usage=Usage(searches=searches, prompt_tokens=tokens),
    )
    again = CODEC.decode_answer(CODEC.encode_answer(answer, request))
    assert [(one.index, one.score) for one in again.results] == found
    assert (again.id, again.usage) == (answer.id, answer.usage)
    for one in again.results:
        wanted = request.return_documents and one.index < len(request.documents)
        assert (one.document is not None) == wanted


@given(st.binary(max_size=40))
def test_nothing_but_a_wire_error(body: bytes) -> None:
    with contextlib.suppress(WireError):
        CODEC.decode_answer(body)


def test_voyage_is_told_in_its_own_words() -> None:
    body: dict[str, Any] = {
        "model": "voyage/rerank-2.5",
        "query": "capital",
        "documents": ["Oslo", {"text": "Bergen"}],
        "top_n": 1,
        "return_documents": True,
        "truncation": False,
    }
    turn = exchange(make_call(body, dialect="cohere.rerank"), "voyage.rerank", provider="voyage")
    assert json.loads(turn.prepare("rerank-2.5")) == {
        "model": "rerank-2.5",
        "query": "capital",
        "documents": ["Oslo", "Bergen"],
        "top_k": 1,
        "truncation": False,
    }
    answer = {
        "object": "list",
        "data": [{"index": 1, "relevance_score": 0.75}],
        "model": "rerank-2.5",
        "usage": {"total_tokens": 26},
    }
    told, usage = turn.whole(json.dumps(answer).encode())
    assert usage == Usage(prompt_tokens=26)
    assert json.loads(told) == {
        "results": [{"index": 1, "relevance_score": 0.75, "document": {"text": "Bergen"}}],
        "meta": {"tokens": {"input_tokens": 26}},
    }


@pytest.mark.parametrize(
    ("fields", "lost"),
    [
        ({"documents": [{"title": "a", "text": "b"}]}, "documents.fields"),
        ({"query": {"image": "a"}}, "query.fields"),
        ({"max_tokens_per_doc": 100}, "max_tokens_per_doc"),
        ({"rank_fields": ["a"]}, "rank_fields"),
    ],
)
def test_what_voyage_cannot_say_is_refused(fields: dict[str, Any], lost: str) -> None:
    body = {"model": "m", "query": "q", "documents": ["a"], **fields}
    turn = exchange(make_call(body, dialect="cohere.rerank"), "voyage.rerank", provider="voyage")
    with pytest.raises(InvalidRequest) as caught:
        turn.prepare("m")
    assert caught.value.param == lost


def test_voyages_answers_must_be_whole() -> None:
    body = {"model": "m", "query": "q", "documents": ["a"]}
    turn = exchange(make_call(body, dialect="cohere.rerank"), "voyage.rerank", provider="voyage")
    with pytest.raises(WireError):
        turn.whole(b'{"results": []}')
