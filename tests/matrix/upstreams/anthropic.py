"""Anthropic's Messages. https://platform.claude.com/docs/en/api/messages."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .model import SIGNATURE, Asked, Refused, Said, Tool, at, decode, need

STREAM = "text/event-stream"
KNOWN = {
    "model", "messages", "max_tokens", "system", "stream", "temperature", "top_p", "top_k", "stop_sequences", "tools",
    "tool_choice", "thinking", "metadata", "service_tier", "output_config", "container", "context_management",
    "cache_control", "anthropic_version", "anthropic_beta",
}  # fmt: skip
USAGE = {
    "input_tokens": 9,
    "output_tokens": 7,
    "cache_read_input_tokens": 0,
    "cache_creation_input_tokens": 0,
    "service_tier": "standard",
}


def read(path: str, headers: Mapping[str, str], body: Any) -> Asked:
    """Check a request."""
    if headers.get("x-api-key") != "not-a-real-key-but-long-enough":
        raise Refused("invalid x-api-key", 401)
    need(
        re.fullmatch(r"\d{4}-\d\d-\d\d", headers.get("anthropic-version", "")),
        "anthropic-version: header is required",
    )
    need(path.partition("?")[0] == "/v1/messages", f"there is nothing at {path}")
    need(isinstance(body["model"], str), "model: Field required")
    return message(body, stream=body.get("stream") is True)


def message(body: Any, *, stream: bool) -> Asked:
    """Check the body of a request."""
    unknown = set(body) - KNOWN
    need(not unknown, f"{sorted(unknown)}: Extra inputs are not permitted")
    need(isinstance(body.get("max_tokens"), int), "max_tokens: Field required")
    asked = Asked(stream=stream)
    asked.tools = [_tool(one) for one in body.get("tools", ())]
    choice: Any = at(body, "tool_choice").get("type", "auto")
    need(choice in {"auto", "any", "tool", "none"}, f"tool_choice.type: {choice}")
    asked.must_call = choice in {"any", "tool"}
    need(asked.tools or not asked.must_call, "tool_choice: needs tools")
    form = at(body, "output_config", "format")
    if form:
        need(form["type"] == "json_schema", "output_config.format.type")
        need(closed(form["schema"]), "output_config.format.schema: additionalProperties must be false")
        asked.schema = form["schema"]
    thinking: Any = body.get("thinking") or {"type": "disabled"}
    if thinking["type"] == "enabled":
        need(thinking["budget_tokens"] >= 1024, "thinking.budget_tokens: at least 1024")
        need(
            thinking["budget_tokens"] < body["max_tokens"],
            "max_tokens must be greater than thinking.budget_tokens",
        )
    asked.thinks = thinking["type"] in {"enabled", "adaptive"}
    need(
        not (asked.thinks and asked.must_call),
        "Thinking may not be enabled when tool_choice forces tool use.",
    )
    _messages(body["messages"], asked, strict=thinking["type"] == "enabled")
    return asked


def _tool(given: Any) -> Tool:
    need(given.get("type") in {None, "custom"}, f"tools.type: {given.get('type')}")
    need(given["input_schema"]["type"] == "object", "tools.input_schema.type: must be object")
    return Tool(given["name"], given["input_schema"])


def closed(schema: Any) -> bool:
    """Tell whether an object of this schema can have no other properties."""
    return schema.get("type") != "object" or schema.get("additionalProperties") is False


def _messages(messages: Any, asked: Asked, *, strict: bool) -> None:
    open_calls: dict[str, Any] = {}
    need(messages[0]["role"] == "user", "messages: first message must use the user role")
    for given in messages:
        content = given["content"]
        blocks: Any = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for block in blocks:
            need(block["type"] != "text" or block["text"], "messages: text content blocks must be non-empty")
        if given["role"] == "assistant":
            open_calls = _turn(blocks, asked, strict=strict and given is messages[-2])
            continue
        need(given["role"] == "user", f"messages.role: {given['role']!r}")
        asked.results = []
        kinds = [block["type"] for block in blocks]
        need(set(kinds) <= {"text", "image", "tool_result", "document"}, f"messages.content.type: {kinds}")
        for block in blocks:
            if block["type"] == "tool_result":
                call = open_calls.pop(block["tool_use_id"], None)
                need(call, f"unexpected `tool_use_id` found in `tool_result` blocks: {block['tool_use_id']}")
                assert call is not None
                asked.results.append((call["name"], call["input"], _result(block.get("content", ""))))
        need(not open_calls, f"`tool_use` ids were found without `tool_result` blocks: {sorted(open_calls)}")
        texts = [block["text"] for block in blocks if block["type"] == "text"]
        asked.text = " ".join(texts) or asked.text
        asked.pictures = [_picture(block) for block in blocks if block["type"] == "image"]


def _turn(blocks: Any, asked: Asked, *, strict: bool) -> dict[str, Any]:
    calls: dict[str, Any] = {block["id"]: block for block in blocks if block["type"] == "tool_use"}
    first = blocks[0]["type"]
    need(not (strict and calls) or first == "thinking", f"Expected `thinking`, but found `{first}`.")
    for block in blocks:
        if block["type"] == "thinking":
            need(block["signature"] == SIGNATURE, "Invalid `signature` in `thinking` block")
            asked.remembers = True
    for call in calls.values():
        need(isinstance(call["input"], dict), "tool_use.input: Input should be a valid dictionary")
    return calls


def _result(content: Any) -> str:
    return content if isinstance(content, str) else " ".join(part["text"] for part in content)


def _picture(block: Any) -> bytes:
    source = block["source"]
    need(source["type"] == "base64", "the picture cannot be fetched")
    need(source["media_type"] == "image/png", f"media_type: {source['media_type']}")
    return decode(source["data"])


def _blocks(said: Said) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if said.thoughts:
        blocks.append({"type": "thinking", "thinking": said.thoughts, "signature": SIGNATURE})
    if said.text:
        blocks.append({"type": "text", "text": said.text})
    for number, (name, arguments) in enumerate(said.calls):
        blocks.append({"type": "tool_use", "id": f"toolu_fake{number}", "name": name, "input": arguments})
    return blocks


def whole(said: Said, path: str) -> dict[str, Any]:
    """Write a whole answer."""
    return {
        "id": "msg_fake",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": _blocks(said),
        "stop_reason": "tool_use" if said.calls else "end_turn",
        "stop_sequence": None,
        "usage": USAGE,
    }


def plain_events(said: Said) -> list[dict[str, Any]]:
    """List the events of a stream, without their framing."""
    started: dict[str, Any] = {
        **whole(said, ""),
        "content": [],
        "stop_reason": None,
        "usage": {**USAGE, "output_tokens": 1},
    }
    sent: list[dict[str, Any]] = [{"type": "message_start", "message": started}, {"type": "ping"}]
    for index, block in enumerate(_blocks(said)):
        begun, deltas = _in_parts(block)
        sent.append({"type": "content_block_start", "index": index, "content_block": begun})
        sent += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        sent.append({"type": "content_block_stop", "index": index})
    stop = {"stop_reason": "tool_use" if said.calls else "end_turn", "stop_sequence": None}
    sent.append({"type": "message_delta", "delta": stop, "usage": {"output_tokens": 7}})
    return [*sent, {"type": "message_stop"}]


def _in_parts(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    match block["type"]:
        case "thinking":
            deltas = [{"type": "thinking_delta", "thinking": text} for text in pieces(block["thinking"])]
            end = {"type": "signature_delta", "signature": block["signature"]}
            return {"type": "thinking", "thinking": "", "signature": ""}, [*deltas, end]
        case "text":
            return {"type": "text", "text": ""}, [
                {"type": "text_delta", "text": text} for text in pieces(block["text"])
            ]
        case _:
            parts = ["", *pieces(json.dumps(block["input"]))]
            return {**block, "input": {}}, [
                {"type": "input_json_delta", "partial_json": text} for text in parts
            ]


def pieces(text: str) -> list[str]:
    """Cut a text into what comes with one event."""
    return [text[at : at + 5] for at in range(0, len(text), 5)]


def events(said: Said, path: str) -> Sequence[bytes]:
    """Write a stream."""
    return [
        f"event: {one['type']}\ndata: {json.dumps(one, ensure_ascii=False)}\n\n".encode()
        for one in plain_events(said)
    ]


def error(refused: Refused) -> dict[str, Any]:
    """Write an error."""
    kinds = {401: "authentication_error", 429: "rate_limit_error"}
    kind = kinds.get(refused.status, "invalid_request_error")
    return {"type": "error", "error": {"type": kind, "message": refused.message}, "request_id": "req_fake"}
