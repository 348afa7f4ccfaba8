"""Requests of Converse and ConverseStream, whose bodies are the same.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from gateway.wire.bedrock_converse.blocks import BlockWriter
from gateway.wire.bedrock_converse.families import model_fields, sampling
from gateway.wire.bedrock_converse.tools import tool_config
from gateway.wire.canonical import ChatRequest, Message, ResponseFormat
from gateway.wire.closed_schema import closed
from gateway.wire.codec import Losses

OWN_FIELDS: Final = frozenset(
    {
        "additionalModelRequestFields",
        "additionalModelResponseFieldPaths",
        "guardrailConfig",
        "performanceConfig",
        "promptVariables",
        "requestMetadata",
    }
)
"""Fields that have no place in the canonical form, and are taken from any client that sends them."""
_TIERS: Final = {
    "default": "default",
    "standard_only": "default",
    "flex": "flex",
    "priority": "priority",
    "reserved": "reserved",
}
_METADATA_VALUE: Final = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,\-.]{0,256}")
_MOST_METADATA: Final = 16
_NEUTRAL: Final[Mapping[str, frozenset[Any]]] = {
    "seed": frozenset(),
    "n": frozenset({1}),
    "presence_penalty": frozenset({0}),
    "frequency_penalty": frozenset({0}),
    "logprobs": frozenset({False}),
    "top_logprobs": frozenset({0}),
    "parallel_tool_calls": frozenset({True}),
    "verbosity": frozenset(),
    "user": frozenset(),
    "store": frozenset({False}),
    "cache_key": frozenset(),
    "audio": frozenset(),
}
"""What cannot be said, and the values of it that say nothing."""


def encode_request(request: ChatRequest, model: str, losses: Losses) -> bytes:
    """Write the body; the model stands in the path."""
    writer = BlockWriter(losses)
    _check(request, losses)
    body: dict[str, Any] = {"messages": _messages(request.messages, writer)}
    fields, effort = model_fields(request, model, losses)
    if fields.get("thinking", {}).get("type") == "enabled" and _calls_unthought(body["messages"]):
        # Claude refuses to think on, and many clients do not give its thoughts back.
        losses.cannot("thinking")
        del fields["thinking"]
    body["additionalModelRequestFields"] = fields
    body["system"] = writer.blocks(
        part
        for message in request.messages
        if message.role in {"system", "developer"}
        for part in message.parts
    )
    body["inferenceConfig"] = _inference(request, model, losses)
    body["toolConfig"] = tool_config(request, losses)
    body["outputConfig"] = {
        **_text_format(request.response_format, losses),
        **({"effort": effort} if effort else {}),
    }
    body["requestMetadata"] = _metadata(request.metadata, losses)
    body["serviceTier"] = _tier(request.service_tier, losses)
    for name, value in request.extra.items():
        if name not in OWN_FIELDS:
            losses.cannot(name)
        elif isinstance(value, dict) and isinstance(body.get(name), dict):
            body[name] = {**body[name], **value}
        else:
            body[name] = value
    return msgspec.json.encode({name: value for name, value in body.items() if value or name == "messages"})


def _messages(messages: Iterable[Message], writer: BlockWriter) -> list[dict[str, Any]]:
    """Write the turns. Roles alternate, so turns of the same side become one; instructions are hoisted into `system`."""
    turns: list[dict[str, Any]] = []
    for message in messages:
        if message.role in {"system", "developer"}:
            continue
        role = "assistant" if message.role == "assistant" else "user"
        blocks = writer.blocks(message.parts)
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    return turns


def _calls_unthought(turns: list[dict[str, Any]]) -> bool:
    """Whether the conversation ends with results of tools that were called without a thought."""
    if not turns or not any("toolResult" in block for block in turns[-1]["content"]):
        return False
    last = next((turn["content"] for turn in reversed(turns) if turn["role"] == "assistant"), ())
    return bool(last) and "reasoningContent" not in last[0]


def _check(request: ChatRequest, losses: Losses) -> None:
    for name, neutral in _NEUTRAL.items():
        value = getattr(request, name)
        if value is not None and not (isinstance(value, int | float) and value in neutral):
            losses.cannot(name)
    if request.logit_bias:
        losses.cannot("logit_bias")
    if set(request.modalities) - {"text"}:
        losses.cannot("modalities")
    if any(message.name for message in request.messages):
        losses.cannot("messages.name")


def _inference(request: ChatRequest, model: str, losses: Losses) -> dict[str, Any]:
    fields = {
        "maxTokens": request.max_tokens,
        **sampling(request, model, losses),
        "stopSequences": request.stop or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _text_format(shape: ResponseFormat | None, losses: Losses) -> dict[str, Any]:
    if shape is None or shape.type == "text":
        return {}
    if shape.type == "json_object" or shape.schema is None:
        losses.cannot("response_format")
        return {}
    schema = {
        "schema": msgspec.json.encode(closed(shape.schema)).decode(),
        **({"name": shape.name} if shape.name else {}),
        **({"description": shape.description} if shape.description else {}),
    }
    return {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}}


def _metadata(metadata: Mapping[str, str] | None, losses: Losses) -> Mapping[str, str]:
    if not metadata:
        return {}
    fits = len(metadata) <= _MOST_METADATA and all(
        len(name) > 0 and _METADATA_VALUE.fullmatch(name) and _METADATA_VALUE.fullmatch(value)
        for name, value in metadata.items()
    )
    if not fits:
        losses.cannot("metadata")
        return {}
    return metadata


def _tier(tier: str | None, losses: Losses) -> dict[str, str]:
    if tier is None or tier == "auto":
        return {}
    if tier not in _TIERS:
        losses.cannot("service_tier")
        return {}
    return {"type": _TIERS[tier]}
