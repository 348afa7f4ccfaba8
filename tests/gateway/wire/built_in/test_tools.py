"""Tools that run at the provider: said again in the provider's words, or refused by name."""

from __future__ import annotations

from typing import Any, cast

import msgspec
import pytest

from gateway.errors import InvalidRequest
from gateway.types import Dialect
from gateway.wire import CODECS
from gateway.wire.codec import EVERYTHING, ChatCodec, Losses

CHAT, RESPONSES = "openai.chat", "openai.responses"
ANTHROPIC, GEMINI = "anthropic.messages", "gemini.generate"
PLACE = {"type": "approximate", "city": "Kyoto", "country": "JP"}
KINDS = (
    "web_search",
    "file_search",
    "code_interpreter",
    "image_generation",
    "mcp",
    "computer_use_preview",
    "local_shell",
)


def codec(dialect: Dialect) -> ChatCodec:
    return cast("ChatCodec", CODECS[dialect])


def put(
    client: Dialect,
    provider: Dialect,
    fields: dict[str, Any],
    drop: Any = frozenset(),
    model: str = "claude-sonnet-4-5",
) -> dict[str, Any]:
    """Put a client's request to a provider. Raises `InvalidRequest` for what it cannot be told."""
    body = msgspec.json.encode({"model": "m", **fields})
    request = codec(client).decode_request(body, model="m", stream=False)
    losses = Losses("p", codec(client).names, may_drop=drop)
    sent = codec(provider).encode_request(request, model, losses)
    losses.check()
    return msgspec.json.decode(sent)


def asking(client: Dialect, tool: dict[str, Any]) -> dict[str, Any]:
    said = {"role": "user", "content": "What is new?"}
    match client:
        case "openai.responses":
            return {"input": "What is new?", "tools": [tool]}
        case "openai.chat":
            return {"messages": [said], "web_search_options": tool}
        case "gemini.generate":
            return {"contents": [{"role": "user", "parts": [{"text": "What is new?"}]}], "tools": [tool]}
        case _:
            return {"messages": [said], "max_tokens": 99, "tools": [tool]}


@pytest.mark.parametrize(
    ("client", "tool", "provider", "expected"),
    [
        (RESPONSES, {"type": "web_search"}, ANTHROPIC, {"type": "web_search_20250305", "name": "web_search"}),
        (
            RESPONSES,
            {
                "type": "web_search_preview",
                "user_location": PLACE,
                "search_context_size": "medium",
                "filters": {"allowed_domains": ["a.example"]},
            },
            ANTHROPIC,
            {
                "type": "web_search_20250305",
                "name": "web_search",
                "allowed_domains": ["a.example"],
                "user_location": PLACE,
            },
        ),
        (
            RESPONSES,
            {"type": "code_interpreter", "container": {"type": "auto"}},
            ANTHROPIC,
            {"type": "code_execution_20250825", "name": "code_execution"},
        ),
        (RESPONSES, {"type": "web_search"}, GEMINI, {"googleSearch": {}}),
        (
            RESPONSES,
            {"type": "code_interpreter", "container": {"type": "auto"}},
            GEMINI,
            {"codeExecution": {}},
        ),
        (
            ANTHROPIC,
            {
                "type": "web_search_20250305",
                "name": "web_search",
                "allowed_domains": ["a.example"],
                "user_location": PLACE,
            },
            RESPONSES,
            {"type": "web_search", "filters": {"allowed_domains": ["a.example"]}, "user_location": PLACE},
        ),
        (
            ANTHROPIC,
            {"type": "code_execution_20250825", "name": "code_execution"},
            RESPONSES,
            {"type": "code_interpreter", "container": {"type": "auto"}},
        ),
        (ANTHROPIC, {"type": "web_search_20250305", "name": "web_search"}, GEMINI, {"googleSearch": {}}),
        (CHAT, {}, ANTHROPIC, {"type": "web_search_20250305", "name": "web_search"}),
        (CHAT, {"search_context_size": "medium"}, GEMINI, {"googleSearch": {}}),
        (
            CHAT,
            {
                "search_context_size": "high",
                "user_location": {"type": "approximate", "approximate": {"city": "Kyoto", "country": "JP"}},
            },
            RESPONSES,
            {"type": "web_search", "search_context_size": "high", "user_location": PLACE},
        ),
        (GEMINI, {"googleSearch": {}}, ANTHROPIC, {"type": "web_search_20250305", "name": "web_search"}),
        (
            GEMINI,
            {"codeExecution": {}},
            RESPONSES,
            {"type": "code_interpreter", "container": {"type": "auto"}},
        ),
    ],
)
def test_a_tool_is_said_in_the_words_of_the_provider(
    client: Dialect, tool: dict[str, Any], provider: Dialect, expected: dict[str, Any]
):
    assert put(client, provider, asking(client, tool))["tools"] == [expected]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("provider", ["openai.chat", "cohere.chat", "ollama.chat", "bedrock.converse"])
def test_a_provider_without_such_a_tool_is_not_asked(kind: str, provider: Dialect):
    with pytest.raises(InvalidRequest, match=f"'tools.{kind}' cannot be expressed") as refused:
        put(RESPONSES, provider, asking(RESPONSES, {"type": kind}))
    assert refused.value.code == "unsupported_parameter"
    assert "tools" not in put(RESPONSES, provider, asking(RESPONSES, {"type": kind}), drop=EVERYTHING)


@pytest.mark.parametrize("provider", ["cohere.chat", "ollama.chat", "bedrock.converse"])
def test_the_search_of_a_chat_completion_is_refused_by_its_name(provider: Dialect):
    with pytest.raises(InvalidRequest, match="'web_search_options' cannot be expressed"):
        put(CHAT, provider, asking(CHAT, {}))
    assert "tools" not in put(CHAT, provider, asking(CHAT, {}), drop={"web_search_options"})


@pytest.mark.parametrize(
    ("client", "tool", "expected"),
    [
        (ANTHROPIC, {"type": "web_search_20250305", "name": "web_search"}, {}),
        (GEMINI, {"googleSearch": {}}, {}),
        (
            RESPONSES,
            {"type": "web_search", "user_location": PLACE, "search_context_size": "low"},
            {
                "user_location": {
                    "type": "approximate",
                    "approximate": {name: value for name, value in PLACE.items() if name != "type"},
                },
                "search_context_size": "low",
            },
        ),
    ],
)
def test_a_search_becomes_the_field_of_a_chat_completion_for_models_that_search(
    client: Dialect, tool: dict[str, Any], expected: dict[str, Any]
):
    sent = put(client, CHAT, asking(client, tool), model="gpt-5-search-api")
    assert sent["web_search_options"] == expected
    assert "tools" not in sent
    with pytest.raises(InvalidRequest, match="cannot be expressed"):
        put(client, CHAT, asking(client, tool), model="gpt-5-mini")


def test_what_such_a_search_cannot_be_told_is_refused_by_name():
    tool = {
        "type": "web_search_20250305",
        "name": "web_search",
        "max_uses": 2,
        "blocked_domains": ["a.example"],
    }
    with pytest.raises(InvalidRequest, match=r"blocked_domains.*max_uses"):
        put(ANTHROPIC, CHAT, asking(ANTHROPIC, tool), model="gpt-4o-search-preview")
    code = {"type": "code_execution_20250825", "name": "code_execution"}
    with pytest.raises(InvalidRequest, match="code_execution"):
        put(ANTHROPIC, CHAT, asking(ANTHROPIC, code), model="gpt-4o-search-preview")


def test_the_search_of_a_chat_completion_stays_a_field_among_its_own():
    sent = put(CHAT, CHAT, asking(CHAT, {"search_context_size": "low"}))
    assert sent["web_search_options"] == {"search_context_size": "low"}
    assert "tools" not in sent


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in {"web_search", "code_interpreter"}])
@pytest.mark.parametrize("provider", [ANTHROPIC, GEMINI])
def test_a_tool_that_only_one_provider_has_is_refused_by_name(kind: str, provider: Dialect):
    with pytest.raises(InvalidRequest, match=f"'tools.{kind}' cannot be expressed"):
        put(RESPONSES, provider, asking(RESPONSES, {"type": kind}))


@pytest.mark.parametrize(
    ("client", "tool", "provider", "name"),
    [
        (RESPONSES, {"type": "web_search", "search_context_size": "high"}, ANTHROPIC, "search_context_size"),
        (RESPONSES, {"type": "web_search", "external_web_access": False}, GEMINI, "external_web_access"),
        (
            RESPONSES,
            {"type": "web_search", "filters": {"allowed_domains": ["a.example"]}},
            GEMINI,
            "allowed_domains",
        ),
        (RESPONSES, {"type": "code_interpreter", "container": "cntr_1"}, ANTHROPIC, "container"),
        (
            RESPONSES,
            {"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["f"]}},
            GEMINI,
            "container",
        ),
        (
            ANTHROPIC,
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
            RESPONSES,
            "max_uses",
        ),
        (CHAT, {"user_location": {"approximate": {"city": "Kyoto"}}}, GEMINI, "user_location"),
        (CHAT, {"search_context_size": "low"}, ANTHROPIC, "search_context_size"),
        (GEMINI, {"googleSearch": {"timeRangeFilter": {}}}, ANTHROPIC, "timeRangeFilter"),
    ],
)
def test_a_setting_that_the_provider_lacks_is_refused_by_name_or_dropped(
    client: Dialect, tool: dict[str, Any], provider: Dialect, name: str
):
    with pytest.raises(InvalidRequest, match=rf"'(tools\.)?\w+\.{name}'"):
        put(client, provider, asking(client, tool))
    assert len(put(client, provider, asking(client, tool), drop=EVERYTHING)["tools"]) == 1


def test_earlier_calls_of_tools_may_be_left_out_for_another_provider():
    searched = {
        "id": "ws_1",
        "type": "web_search_call",
        "status": "completed",
        "action": {"type": "search", "query": "tide"},
    }
    told = {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "High at 9."}],
    }
    items = [{"role": "user", "content": "Tide?"}, searched, told, {"role": "user", "content": "Thanks."}]
    for provider in (ANTHROPIC, GEMINI, "openai.chat", "cohere.chat", "ollama.chat"):
        with pytest.raises(InvalidRequest, match="built_in_calls"):
            put(RESPONSES, provider, {"input": items})
        sent = msgspec.json.encode(put(RESPONSES, provider, {"input": items}, drop={"built_in_calls"}))
        assert b"High at 9." in sent
        assert b"tide" not in sent
