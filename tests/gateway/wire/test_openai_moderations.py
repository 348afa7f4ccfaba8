"""OpenAI moderations."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import GatewayError, InvalidRequest
from gateway.testing.fakes import make_call
from gateway.types import Usage
from gateway.wire.dialect import WireError
from gateway.wire.openai_moderations import OpenAIModerations

WIRE = OpenAIModerations()


def test_the_model_may_be_left_out() -> None:
    assert WIRE.read(b'{"input": "hi"}').model == "omni-moderation-latest"
    assert WIRE.read(b'{"input": ["hi"], "model": "m"}').model == "m"
    assert (
        WIRE.read(b'{"input": [{"type": "text", "text": "hi"}], "model": null}').model
        == "omni-moderation-latest"
    )


@pytest.mark.parametrize("body", [b"{}", b'{"input": []}', b'{"input": ""}', b'{"input": 1}'])
def test_there_must_be_something_to_judge(body: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        WIRE.read(body)
    assert caught.value.param == "input"


@pytest.mark.parametrize(
    ("body", "model", "sent"),
    [
        ({"input": "hi", "model": "m"}, "m", None),
        ({"input": "hi", "model": "p/m"}, "m", {"input": "hi", "model": "m"}),
        ({"input": "hi"}, "omni-moderation-latest", {"input": "hi", "model": "omni-moderation-latest"}),
        ({"input": "hi", "new": [1]}, "m", {"input": "hi", "new": [1], "model": "m"}),
    ],
)
def test_the_model_is_named_upstream(body: dict[str, Any], model: str, sent: dict[str, Any] | None) -> None:
    call = make_call(body, dialect=WIRE.name)
    prepared = WIRE.prepare(call, model)
    if sent is None:
        assert prepared == call.body
    else:
        assert json.loads(prepared) == sent


def test_usage_is_nothing_unless_told() -> None:
    assert WIRE.usage(b'{"id": "modr-1", "model": "m", "results": []}') == Usage()
    assert WIRE.usage(b'{"results": [], "usage": {"prompt_tokens": 7}}') == Usage(prompt_tokens=7)
    with pytest.raises(WireError):
        WIRE.usage(b"<html>")


def test_errors_are_shaped_as_openais() -> None:
    assert json.loads(WIRE.error(GatewayError("no")))["error"]["message"] == "no"
