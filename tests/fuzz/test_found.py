"""What was found by trying, kept so that it is found at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from .answers import STREAMS, WHOLE, config, fill, providers
from .canned import Canned
from .samples import request
from .served import Asked, Got, Served, serving
from .words import check

JSON = {"content-type": "application/json"}
DIGITS = (b"0050" + b"0" * 30, b"9" * 5_000, b"000000050000000000050")


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(config(drop_params=True), plugins=[Canned]) as served:
        yield served


@pytest.fixture(autouse=True)
def _whole_again(served: Served) -> None:  # pyright: ignore[reportUnusedFunction] - pytest uses it
    fill(served)


def ask(served: Served, path: str, provider: str, *, stream: bool = False) -> Got:
    where, body = request(path, f"{provider}/canned", stream=stream)
    return served.ask(Asked(path=where, headers=JSON, body=body))


@pytest.mark.parametrize("digits", DIGITS)
@pytest.mark.parametrize("path", ["/v1/files", "/v1/batches", "/v1/videos", "/v1/models", "/v1beta/models"])
def test_numbers_that_are_too_long(served: Served, path: str, digits: bytes) -> None:
    query = b"limit=" + digits + b"&pageSize=" + digits
    headers = {"anthropic-version": "2023-06-01"} if path == "/v1/models" else {}
    asked = Asked(method="GET", path=path, query=query, headers=headers)
    got = served.ask(asked)
    assert got.status == 400
    check(path, got, headers=asked.headers)


@pytest.mark.parametrize("kind", [3, ["x"], {"a": 1}])
@pytest.mark.parametrize("provider", ["mock", "responses"])
def test_items_whose_type_is_no_text(served: Served, provider: str, kind: Any) -> None:
    body = {"model": f"{provider}/canned", "input": [{"type": kind, "role": "user", "content": "Hi"}]}
    got = served.ask(Asked(path="/v1/responses", headers=JSON, body=json.dumps(body).encode()))
    assert got.status == (400 if provider == "mock" else 200)
    check("/v1/responses", got)


@pytest.mark.parametrize("provider", ["anthropic", "bedrock", "ollama"])
def test_bytes_that_are_no_text_inside_of_arguments(served: Served, provider: str) -> None:
    whole = providers(served)[provider].whole
    whole["anthropic.messages"] = whole["anthropic.messages"].replace(b"msg_01A", b"msg_\xff")
    whole["ollama.chat"] = whole["ollama.chat"].replace(b'"arguments": {', b'"arguments": {"\xff": 1, ')
    whole["bedrock.converse"] = whole["bedrock.converse"].replace(
        b'"text": "Fog."', b'"toolUse": {"toolUseId": "t", "name": "n", "input": {"a": "\xff"}}'
    )
    assert providers(served)[provider].whole != WHOLE
    got = ask(served, "/v1/chat/completions", provider)
    assert got.status == 502
    check("/v1/chat/completions", got, highest=502)


def test_a_citation_whose_type_is_no_text(served: Served) -> None:
    whole = providers(served)["anthropic"].whole
    changed = whole["anthropic.messages"].replace(b'"type": "char_location"', b'"type": ["x"]')
    assert changed != whole["anthropic.messages"]
    whole["anthropic.messages"] = changed
    assert ask(served, "/v1/chat/completions", "anthropic").status == 200


def test_the_input_of_a_tool_without_a_call(served: Served) -> None:
    event = b'event: content_block_delta\ndata: {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "{}"}}\n\n'
    providers(served)["anthropic"].streams["anthropic.messages"] = [event, *STREAMS["anthropic.messages"]]
    got = ask(served, "/v1beta/models/MODEL:streamGenerateContent", "anthropic")
    assert got.status == 502
    check("/v1beta/models/mock:streamGenerateContent", got, highest=502)


def test_an_error_without_a_type_in_a_stream_of_responses(served: Served) -> None:
    event = b'data: {"error": {"message": "Too much.", "code": "rate_limit_exceeded"}}\n\n'
    providers(served)["responses"].streams["openai.responses"] = [event]
    got = ask(served, "/v1/responses", "responses", stream=True)
    assert got.status == 429
    check("/v1/responses", got)
