"""The fake providers refuse what the real ones refuse: without that, the matrix would show nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from .upstreams.model import SIGNATURE, TEXT, Asked, Refused, answer
from .upstreams.server import find

KEY = "not-a-real-key-but-long-enough"
BEARER = {"authorization": f"Bearer {KEY}"}
SIGNED = {"authorization": "AWS4-HMAC-SHA256 Credential=not-a-real-id/…", "x-amz-date": "20261101T000000Z"}
TURNS: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}]
PROVIDERS: Mapping[str, tuple[str, Mapping[str, str], dict[str, Any]]] = {
    "openai": ("/v1/chat/completions", BEARER, {"model": "m", "messages": TURNS}),
    "azure": ("/openai/v1/chat/completions", {"api-key": KEY}, {"model": "m", "messages": TURNS}),
    "anthropic": (
        "/v1/messages",
        {"x-api-key": KEY, "anthropic-version": "2023-06-01"},
        {"model": "m", "max_tokens": 5000, "messages": TURNS},
    ),
    "gemini": (
        "/v1beta/models/m:generateContent",
        {"x-goog-api-key": KEY},
        {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
    ),
    "bedrock": (
        "/model/anthropic.claude-x/converse",
        SIGNED,
        {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]},
    ),
    "cohere": ("/v2/chat", BEARER, {"model": "m", "messages": TURNS}),
    "ollama": ("/api/chat", {}, {"model": "m", "messages": TURNS, "stream": False}),
}


def read(provider: str, *, headers: Mapping[str, str] | None = None, **fields: Any) -> Asked:
    path, right, body = PROVIDERS[provider]
    return find(provider, path).read(path, right if headers is None else headers, {**body, **fields})


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_right_request_is_answered(provider: str) -> None:
    asked = read(provider)
    assert (asked.text, asked.stream) == ("Hi", False)
    assert answer(asked).text == TEXT


@pytest.mark.parametrize("provider", [name for name in PROVIDERS if name != "ollama"])
def test_keys_and_unknown_fields_are_looked_at(provider: str) -> None:
    with pytest.raises(Refused):
        read(provider, headers={})
    with pytest.raises(Refused):
        read(provider, no_such_field=1)


ORPHANS: list[tuple[str, list[dict[str, Any]]]] = [
    ("openai", [*TURNS, {"role": "tool", "tool_call_id": "call_1", "content": "Sun"}]),
    ("cohere", [*TURNS, {"role": "tool", "tool_call_id": "call_1", "content": "Sun"}]),
    ("ollama", [*TURNS, {"role": "tool", "tool_name": "weather", "content": "Sun"}]),
    (
        "anthropic",
        [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "Sun"}]}],
    ),
    ("bedrock", [{"role": "user", "content": [{"toolResult": {"toolUseId": "a", "content": []}}]}]),
]


@pytest.mark.parametrize(("provider", "turns"), ORPHANS)
def test_results_that_nobody_asked_for_are_refused(provider: str, turns: list[dict[str, Any]]) -> None:
    with pytest.raises(Refused):
        read(provider, messages=turns)


@pytest.mark.parametrize(("signature", "taken"), [(SIGNATURE, True), ("Zm9yZ2Vk", False)])
def test_thoughts_must_be_the_models_own(signature: str, *, taken: bool) -> None:
    call: dict[str, Any] = {"type": "tool_use", "id": "a", "name": "weather", "input": {}}
    thought = {"type": "thinking", "thinking": "Well.", "signature": signature}
    result: dict[str, Any] = {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": "a", "content": "Sun"}],
    }
    messages = [*TURNS, {"role": "assistant", "content": [thought, call]}, result]
    if taken:
        assert read("anthropic", messages=messages).remembers
    else:
        with pytest.raises(Refused, match="signature"):
            read("anthropic", messages=messages)


def test_claude_with_a_budget_wants_its_thoughts_back() -> None:
    call: dict[str, Any] = {"type": "tool_use", "id": "a", "name": "weather", "input": {}}
    result: dict[str, Any] = {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": "a", "content": "Sun"}],
    }
    messages = [*TURNS, {"role": "assistant", "content": [call]}, result]
    thinking = {"type": "enabled", "budget_tokens": 1024}
    with pytest.raises(Refused, match="Expected `thinking`"):
        read("anthropic", messages=messages, thinking=thinking)


def test_gemini_wants_its_calls_signed() -> None:
    def contents(**more: str) -> list[dict[str, Any]]:
        call: dict[str, Any] = {"functionCall": {"name": "weather", "args": {}}, **more}
        result: dict[str, Any] = {"functionResponse": {"name": "weather", "response": {"output": "Sun"}}}
        asked: dict[str, Any] = {"role": "user", "parts": [{"text": "Hi"}]}
        return [asked, {"role": "model", "parts": [call]}, {"role": "user", "parts": [result]}]

    assert read("gemini", contents=contents(thoughtSignature=SIGNATURE)).remembers
    with pytest.raises(Refused, match="thought_signature"):
        read("gemini", contents=contents())
