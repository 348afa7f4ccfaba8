from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest, ProviderError
from gateway.types import Call
from gateway.wire import LIVE, WIRES, WireError
from gateway.wire.gemini_live import LiveReader

WIRE = WIRES[LIVE]


def message(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def setup(model: Any, **more: Any) -> bytes:
    return message(setup={"model": model, **more})


@pytest.mark.parametrize(
    ("named", "model"),
    [("models/talker", "talker"), ("talker", "talker"), ("tunedModels/t", "tunedModels/t")],
)
def test_the_setup_names_the_model(named: str, model: str) -> None:
    head = WIRE.read(setup(named))
    assert (head.model, head.stream) == (model, True)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{}", "setup"),
        (b'{"setup": {}}', "model"),
        (setup(5), "setup"),
        (setup(""), "setup.model"),
        (b"[", None),
        (b"\xff", None),
    ],
)
def test_what_is_no_setup(body: bytes, param: str | None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        WIRE.read(body)
    assert (caught.value.param or "").partition(".")[0] == (param or "").partition(".")[0]


def test_the_model_becomes_the_providers(make_call: Callable[..., Call]) -> None:
    own = setup("models/talker", tools=[{"newTool": {}}])
    call = make_call(dialect=LIVE, body=own)
    assert WIRE.prepare(call, "talker") is call.body
    changed = json.loads(WIRE.prepare(call, "other"))
    assert changed == {"setup": {"model": "models/other", "tools": [{"newTool": {}}]}}


def test_usage_is_summed_with_every_detail(make_call: Callable[..., Call]) -> None:
    reader = LiveReader()
    told = {
        "promptTokenCount": 100,
        "responseTokenCount": 20,
        "thoughtsTokenCount": 5,
        "cachedContentTokenCount": 60,
        "toolUsePromptTokenCount": 7,
        "promptTokensDetails": [
            {"modality": "AUDIO", "tokenCount": 30},
            {"modality": "TEXT", "tokenCount": 70},
        ],
        "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 15}],
    }
    found = {"webSearchQueries": ["a", "b"]}
    for one in (
        message(setupComplete={}),
        message(serverContent={"modelTurn": {"parts": [{"text": "x" * 400}]}, "groundingMetadata": found}),
        message(serverContent={"groundingMetadata": found}),
        message(serverContent={"turnComplete": True}, usageMetadata=told),
        message(toolCall={"functionCalls": []}, usageMetadata=told),
        message(serverContent={"groundingMetadata": {"webSearchQueries": ["c"]}}),
        message(usageMetadata={"responseTokenCount": 1}),
    ):
        assert reader.feed(one) == one
    usage = reader.usage or reader.estimate(make_call())
    assert (usage.prompt_tokens, usage.completion_tokens, usage.cached_read_tokens) == (214, 51, 120)
    assert (usage.audio_prompt_tokens, usage.audio_completion_tokens) == (60, 30)
    assert (usage.reasoning_tokens, usage.searches, usage.estimated) == (10, 3, False)


@pytest.mark.parametrize(
    ("said", "tokens", "spoken"),
    [
        ({"serverContent": {"modelTurn": {"parts": [{"text": "x" * 38}]}}}, 10, 0),
        ({"serverContent": {"modelTurn": {"parts": [{"inlineData": {"data": "A" * 64_000}}]}}}, 25, 25),
        ({"toolCall": {"functionCalls": ["x" * 16]}}, 10, 0),
    ],
)
def test_what_no_usage_was_told_of_is_estimated(
    make_call: Callable[..., Call], said: dict[str, Any], tokens: int, spoken: int
) -> None:
    reader = LiveReader()
    reader.feed(message(usageMetadata={"promptTokenCount": 7, "responseTokenCount": 3}))
    reader.feed(message(**said))
    reader.feed(message(serverContent={"interrupted": True, "turnComplete": True}))
    usage = reader.estimate(make_call())
    assert (usage.prompt_tokens, usage.completion_tokens, usage.estimated) == (7, 3 + tokens, True)
    assert usage.audio_completion_tokens == spoken
    reader.feed(message(usageMetadata={"promptTokenCount": 1, "responseTokenCount": 1}))
    usage = reader.estimate(make_call())
    assert (usage.prompt_tokens, usage.completion_tokens, usage.estimated) == (8, 4, False)


@given(st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_nothing_breaks_the_reader(data: bytes) -> None:
    reader = LiveReader()
    shown = reader.feed(data)
    if reader.failure is None:
        assert shown == data
        assert data.lstrip().startswith(b"{")
    else:
        assert isinstance(reader.failure, WireError)
        assert shown == b""


@pytest.mark.parametrize("strange", [b'{"serverContent": 5}', b'{"usageMetadata": {}}', b"{}"])
def test_an_object_of_an_unknown_shape_passes(strange: bytes) -> None:
    reader = LiveReader()
    assert reader.feed(strange) == strange
    assert reader.failure is None


def test_errors_are_no_messages() -> None:
    assert WIRE.error_event(ProviderError("It broke.", provider="up")) == b""
