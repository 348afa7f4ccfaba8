"""Every route that makes a call, with requests that are nearly good: whatever comes, it is an answer or an error in the client's words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .amount import amount
from .answers import config, fill
from .canned import Canned
from .mutations import mutated_bytes
from .samples import BODIES, BOUNDARY, FORMS, form, request
from .served import Asked, Served, serving
from .words import check

PROVIDERS = ("mock", "anthropic", "bedrock", "cohere", "gemini", "ollama", "openai", "responses")
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(config(drop_params=True), plugins=[Canned]) as served:
        fill(served)
        yield served


def model(provider: str) -> str:
    return "mock/echo" if provider == "mock" else f"{provider}/canned"


def able(path: str) -> tuple[str, ...]:
    """Choose the providers that a path can lead to."""
    match path.rpartition("/")[2].rpartition(":")[2]:
        case "rerank":
            return ("cohere",)
        case "embeddings" | "embed" | "embedContent" | "batchEmbedContents":
            return tuple(name for name in PROVIDERS if name not in {"anthropic", "responses"})
        case "moderations":
            return ("mock", "openai")
        case "generations" | "edits" | "speech":
            return ("mock",)
        case _:
            return PROVIDERS


@pytest.mark.parametrize("path", BODIES)
def test_the_samples_are_good(served: Served, path: str) -> None:
    """Else what is made of them would show little."""
    where, body = request(path, model("cohere" if path.endswith("rerank") else "mock"))
    got = served.ask(Asked(path=where, headers=JSON, body=body))
    assert got.status == 200, got.body


@pytest.mark.parametrize("path", BODIES)
@amount(40)
@given(data=st.data())
def test_json(served: Served, path: str, data: st.DataObject) -> None:
    provider = data.draw(st.sampled_from(able(path)))
    where, body = request(path, model(provider), stream=data.draw(st.booleans()))
    body = data.draw(mutated_bytes(body))
    got = served.ask(Asked(path=where, headers=JSON, body=body))
    check(where, got, highest=499 if provider == "mock" else 502)


@pytest.mark.parametrize("path", FORMS)
@amount(40)
@given(data=st.data())
def test_forms(served: Served, path: str, data: st.DataObject) -> None:
    body = form(path, "mock/echo")
    for _ in range(data.draw(st.integers(1, 3))):
        place, length = data.draw(st.integers(0, len(body))), data.draw(st.integers(0, 20))
        body = body[:place] + data.draw(st.binary(max_size=6)) + body[place + length :]
    boundary = data.draw(st.sampled_from([BOUNDARY, BOUNDARY, BOUNDARY, "", '"', "x" * 300, "é"]))
    kind = f"multipart/form-data; boundary={boundary}"
    got = served.ask(Asked(path=path, headers={"content-type": kind}, body=body))
    check(path, got)


def test_nothing_was_a_fault(served: Served) -> None:
    """Runs last: what the gateway does not foresee, it logs as an error."""
    faults: list[Any] = [line for line in served.log.lines if line.startswith("ERROR") and "internal" in line]
    assert faults == []
