"""What each family of models calls otherwise: reasoning, top_k, sampling."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.wire.bedrock_converse import BedrockConverse
from gateway.wire.canonical import (
    ChatRequest,
    Message,
    Part,
    Reasoning,
    Text,
)
from gateway.wire.codec import Losses

CODEC = BedrockConverse()
CLAUDE = "anthropic.claude-sonnet-4-5-20250929-v1:0"
NEWER_CLAUDE = "us.anthropic.claude-opus-4-7"
NOVA = "amazon.nova-2-lite-v1:0"


def encode(
    request: ChatRequest, model: str = CLAUDE, *, drop: frozenset[str] = frozenset()
) -> dict[str, Any]:
    losses = Losses("aws", {}, may_drop=drop)
    body = CODEC.encode_request(request, model, losses)
    losses.check()
    return json.loads(body)


def ask(*parts: Part | str, **fields: Any) -> ChatRequest:
    given = tuple(Text(text=part) if isinstance(part, str) else part for part in parts) or (Text(text="Hi"),)
    messages = fields.pop("messages", (Message(role="user", parts=given),))
    return ChatRequest(dialect="openai.chat", model="m", messages=messages, **fields)


@pytest.mark.parametrize(
    ("model", "reasoning", "fields", "effort"),
    [
        (CLAUDE, {"effort": "low"}, {"thinking": {"type": "enabled", "budget_tokens": 1024}}, None),
        (CLAUDE, {"budget": 5000}, {"thinking": {"type": "enabled", "budget_tokens": 5000}}, None),
        (
            "eu.anthropic.claude-opus-4-1-20250805-v1:0",
            {"effort": "high"},
            {"thinking": {"type": "enabled", "budget_tokens": 7999}},
            None,
        ),
        (NEWER_CLAUDE, {"effort": "minimal"}, {"thinking": {"type": "adaptive"}}, "low"),
        (
            NEWER_CLAUDE,
            {"effort": "max", "summary": "auto"},
            {"thinking": {"type": "adaptive", "display": "summarized"}},
            "max",
        ),
        (NEWER_CLAUDE, {"budget": 3000}, {"thinking": {"type": "adaptive"}}, "medium"),
        (NEWER_CLAUDE, {"budget": -1}, {"thinking": {"type": "adaptive"}}, None),
        (
            NOVA,
            {"effort": "xhigh"},
            {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}},
            None,
        ),
        ("openai.gpt-oss-120b-1:0", {"effort": "medium"}, {"reasoning_effort": "medium"}, None),
        ("qwen.qwen3-32b-v1:0", {"effort": "high"}, None, "high"),
        (CLAUDE, {"budget": 0}, None, None),
    ],
)
def test_reasoning(
    model: str, reasoning: dict[str, Any], fields: dict[str, Any] | None, effort: str | None
) -> None:
    body = encode(ask(reasoning=Reasoning(**reasoning), max_tokens=8000), model)
    assert body.get("additionalModelRequestFields") == fields
    assert body.get("outputConfig", {}).get("effort") == effort


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (CLAUDE, {"top_k": 5}),
        ("cohere.command-r-v1:0", {"k": 5}),
        ("amazon.nova-lite-v1:0", {"inferenceConfig": {"topK": 5}}),
    ],
)
def test_top_k(model: str, fields: dict[str, Any]) -> None:
    assert encode(ask(top_k=5), model)["additionalModelRequestFields"] == fields
    mine = {"additionalModelRequestFields": {"mine": 1}}
    assert encode(ask(top_k=5, extra=mine), model)["additionalModelRequestFields"] == {**fields, "mine": 1}


@pytest.mark.parametrize("fields", [{"top_k": 5}, {"reasoning": Reasoning(budget=2000)}])
def test_models_without_such_fields(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match=next(iter(fields))):
        encode(ask(**fields), "meta.llama3-70b-instruct-v1:0")


def test_sampling() -> None:
    assert encode(ask(temperature=1.5, top_p=0.5))["inferenceConfig"] == {"temperature": 1.0, "topP": 0.5}
    assert "inferenceConfig" not in encode(ask(temperature=1.0), NEWER_CLAUDE)
    for name in ("temperature", "top_p", "top_k"):
        with pytest.raises(InvalidRequest, match=name):
            encode(ask(**{name: 0.5}), NEWER_CLAUDE)


def test_a_budget_that_leaves_no_room() -> None:
    with pytest.raises(InvalidRequest, match="reasoning"):
        encode(ask(reasoning=Reasoning(effort="low"), max_tokens=1000))
