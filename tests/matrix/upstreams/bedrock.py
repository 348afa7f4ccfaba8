"""Bedrock: Converse for every model, InvokeModel for Claude's own dialect.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.wire.aws_event_stream import frame

from . import anthropic
from .model import SIGNATURE, Asked, Refused, Said, Tool, at, decode, need

STREAM = "application/vnd.amazon.eventstream"
KNOWN = {
    "messages", "system", "inferenceConfig", "toolConfig", "guardrailConfig", "additionalModelRequestFields",
    "promptVariables", "additionalModelResponseFieldPaths", "requestMetadata", "performanceConfig", "outputConfig",
    "serviceTier",
}  # fmt: skip
BLOCKS = {"text", "image", "toolUse", "toolResult", "reasoningContent"}
USAGE = {"inputTokens": 9, "outputTokens": 7, "totalTokens": 16}


def read(path: str, headers: Mapping[str, str], body: Any) -> Asked:
    """Check a request, and that it is signed."""
    signed = headers.get("authorization", "")
    if not signed.startswith("AWS4-HMAC-SHA256 Credential=not-a-real-id/") or "x-amz-date" not in headers:
        raise Refused("The security token included in the request is invalid.", 403)
    _, model, action = path.rsplit("/", 2)
    need(path.startswith("/model/") and "claude" in model, f"there is nothing at {path}")
    if action.startswith("invoke"):
        need(body.get("anthropic_version") == "bedrock-2023-05-31", "anthropic_version: Field required")
        return anthropic.message(body, stream=action == "invoke-with-response-stream")
    need(action in {"converse", "converse-stream"}, f"there is nothing at {path}")
    unknown = set(body) - KNOWN
    need(not unknown, f"unknown fields: {sorted(unknown)}")
    asked = Asked(stream=action == "converse-stream")
    config: Any = body.get("toolConfig") or {"tools": []}
    specs = [one["toolSpec"] for one in config["tools"] if "toolSpec" in one]
    asked.tools = [Tool(one["name"], one["inputSchema"]["json"]) for one in specs]
    asked.must_call = bool({"any", "tool"} & set(config.get("toolChoice") or ()))
    form = at(body, "outputConfig", "textFormat", "structure")
    if form:
        schema = json.loads(form["jsonSchema"]["schema"])
        need(anthropic.closed(schema), "additionalProperties must be false")
        asked.schema = schema
    thinking = at(body, "additionalModelRequestFields", "thinking") or {"type": "disabled"}
    asked.thinks = thinking["type"] in {"enabled", "adaptive"}
    need(
        not (asked.thinks and asked.must_call),
        "Thinking may not be enabled when tool_choice forces tool use.",
    )
    _messages(body["messages"], asked, strict=thinking["type"] == "enabled")
    return asked


def _messages(messages: Any, asked: Asked, *, strict: bool) -> None:
    open_calls: dict[str, Any] = {}
    used = False
    for number, given in enumerate(messages):
        role = "assistant" if number % 2 else "user"
        need(given["role"] == role, "A conversation must alternate between user and assistant roles.")
        blocks = given["content"]
        for block in blocks:
            need(len(BLOCKS & set(block)) == 1, f"a content block has {sorted(block)}")
            need("text" not in block or block["text"].strip(), "The text field in the ContentBlock is blank.")
        if role == "assistant":
            open_calls = {
                block["toolUse"]["toolUseId"]: block["toolUse"] for block in blocks if "toolUse" in block
            }
            used = used or bool(open_calls)
            first = "reasoningContent" in blocks[0]
            need(
                first or not (strict and open_calls and given is messages[-2]),
                "Expected `thinking`, but found `tool_use`.",
            )
            for block in blocks:
                if "reasoningContent" in block:
                    thought = block["reasoningContent"]["reasoningText"]
                    need(thought["signature"] == SIGNATURE, "Invalid `signature` in `thinking` block")
                    asked.remembers = True
            continue
        results = [block["toolResult"] for block in blocks if "toolResult" in block]
        need(
            {one["toolUseId"] for one in results} == set(open_calls),
            "toolResult blocks do not fit the toolUse blocks",
        )
        asked.results = [
            (
                open_calls[one["toolUseId"]]["name"],
                open_calls[one["toolUseId"]]["input"],
                _result(one["content"]),
            )
            for one in results
        ]
        asked.text = " ".join(block["text"] for block in blocks if "text" in block) or asked.text
        asked.pictures = [decode(block["image"]["source"]["bytes"]) for block in blocks if "image" in block]
    need(
        asked.tools or not used,
        "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
    )


def _result(content: Any) -> str:
    return " ".join(part["text"] if "text" in part else json.dumps(part["json"]) for part in content)


def whole(said: Said, path: str) -> dict[str, Any]:
    """Write a whole answer."""
    if path.endswith("/invoke"):
        return anthropic.whole(said, path)
    content: list[dict[str, Any]] = []
    if said.thoughts:
        content.append(
            {"reasoningContent": {"reasoningText": {"text": said.thoughts, "signature": SIGNATURE}}}
        )
    if said.text:
        content.append({"text": said.text})
    for number, (name, arguments) in enumerate(said.calls):
        content.append({"toolUse": {"toolUseId": f"tooluse_fake{number}", "name": name, "input": arguments}})
    message = {"role": "assistant", "content": content}
    reason = "tool_use" if said.calls else "end_turn"
    return {"output": {"message": message}, "stopReason": reason, "usage": USAGE, "metrics": {"latencyMs": 1}}


def events(said: Said, path: str) -> Sequence[bytes]:
    """Write a stream."""
    if "/invoke" in path:
        packed = [base64.b64encode(json.dumps(one).encode()).decode() for one in anthropic.plain_events(said)]
        return [_event("chunk", {"bytes": one, "p": "abc"}) for one in packed]
    blocks: list[tuple[Any, list[Any]]] = []
    if said.thoughts:
        texts = [{"reasoningContent": {"text": text}} for text in anthropic.pieces(said.thoughts)]
        blocks.append((None, [*texts, {"reasoningContent": {"signature": SIGNATURE}}]))
    if said.text:
        blocks.append((None, [{"text": text} for text in anthropic.pieces(said.text)]))
    for number, (name, arguments) in enumerate(said.calls):
        begun = {"toolUse": {"toolUseId": f"tooluse_fake{number}", "name": name}}
        blocks.append(
            (begun, [{"toolUse": {"input": text}} for text in anthropic.pieces(json.dumps(arguments))])
        )
    sent = [_event("messageStart", {"role": "assistant"})]
    for index, (begun, deltas) in enumerate(blocks):
        if begun is not None:
            sent.append(_event("contentBlockStart", {"start": begun, "contentBlockIndex": index}))
        sent += [_event("contentBlockDelta", {"delta": one, "contentBlockIndex": index}) for one in deltas]
        sent.append(_event("contentBlockStop", {"contentBlockIndex": index}))
    sent.append(_event("messageStop", {"stopReason": "tool_use" if said.calls else "end_turn"}))
    return [*sent, _event("metadata", {"usage": USAGE, "metrics": {"latencyMs": 1}})]


def _event(name: str, payload: Any) -> bytes:
    headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, json.dumps(payload, ensure_ascii=False).encode())


def error(refused: Refused) -> dict[str, Any]:
    """Write an error."""
    return {"message": refused.message}
