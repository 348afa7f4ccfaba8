"""Providers whose answers are nearly good: the client gets an answer, or is told that the provider failed, and never that the gateway did."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .amount import amount
from .answers import SPEAKS, STREAMS, WHOLE, config, fill, providers
from .canned import Canned
from .mutations import mutated_bytes
from .samples import request
from .served import Asked, Served, serving
from .words import check

JSON = {"content-type": "application/json"}
PATHS = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/messages",
    "/v1beta/models/MODEL:generateContent",
    "/v1beta/models/MODEL:streamGenerateContent",
)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(config(drop_params=True), plugins=[Canned]) as served:
        fill(served)
        yield served


@pytest.mark.parametrize("provider", SPEAKS)
@amount(60)
@given(data=st.data())
def test_whole(served: Served, provider: str, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(PATHS[:-1]))
    dialect = SPEAKS[provider]["chat"]
    providers(served)[provider].whole[dialect] = data.draw(mutated_bytes(WHOLE[dialect]))
    where, body = request(path, f"{provider}/canned")
    check(where, served.ask(Asked(path=where, headers=JSON, body=body)), highest=502)


@pytest.mark.parametrize("provider", SPEAKS)
@amount(60)
@given(data=st.data())
def test_streamed(served: Served, provider: str, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(PATHS))
    dialect = SPEAKS[provider]["chat"]
    whole = b"".join(STREAMS[dialect])
    place = data.draw(st.integers(0, len(whole)))
    length = data.draw(st.integers(0, 40))
    changed = whole[:place] + data.draw(st.binary(max_size=8)) + whole[place + length :]
    cut = data.draw(st.integers(0, len(changed)))
    providers(served)[provider].streams[dialect] = [changed[:cut], changed[cut:]]
    where, body = request(path, f"{provider}/canned", stream=True)
    check(where, served.ask(Asked(path=where, headers=JSON, body=body)), highest=599)


def test_nothing_was_a_fault(served: Served) -> None:
    """Runs last."""
    assert [line for line in served.log.lines if line.startswith("ERROR")] == []
