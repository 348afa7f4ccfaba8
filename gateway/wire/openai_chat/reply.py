"""A whole answer in the canonical form, as a chat completion for a client.

https://platform.openai.com/docs/api-reference/chat/object
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.wire.canonical import (
    Audio,
    ChatAnswer,
    ChatRequest,
    Choice,
    Image,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
)
from gateway.wire.openai_chat.request import FunctionsRequest
from gateway.wire.openai_chat.words import (
    citation_fields,
    finish_reason,
    logprobs_fields,
    signature_content,
    thinking_detail,
    usage_fields,
)


def encode_answer(answer: ChatAnswer, request: ChatRequest) -> bytes:
    """Write a chat completion for the client."""
    legacy = isinstance(request, FunctionsRequest)
    fields: dict[str, Any] = {
        "id": answer.id or f"chatcmpl-{time.time_ns()}",
        "object": "chat.completion",
        "created": answer.created or int(time.time()),
        "model": answer.model or request.model,
        "choices": [_choice_fields(choice, legacy=legacy) for choice in answer.choices],
    }
    if answer.usage is not None:
        fields["usage"] = usage_fields(answer.usage)
    if answer.service_tier is not None:
        fields["service_tier"] = answer.service_tier
    fields["system_fingerprint"] = answer.fingerprint
    return msgspec.json.encode(fields)


def _choice_fields(choice: Choice, *, legacy: bool) -> dict[str, Any]:
    refused = any(isinstance(part, Refusal) for part in choice.parts)
    finish = finish_reason(choice.stop or "stop", refused=refused)
    fields: dict[str, Any] = {
        "index": choice.index,
        "message": _message(choice.parts, legacy=legacy),
        "logprobs": _logprobs(choice),
        "finish_reason": "function_call" if legacy and finish == "tool_calls" else finish,
    }
    if choice.safety is not None:
        fields["safety_results"] = choice.safety
    return fields


def _logprobs(choice: Choice) -> dict[str, Any] | None:
    if not choice.logprobs:
        return None
    kinds = {type(part) for part in choice.parts}
    return logprobs_fields(choice.logprobs, refused=Refusal in kinds and Text not in kinds)


def _message(parts: Sequence[Part], *, legacy: bool) -> dict[str, Any]:
    texts = [part for part in parts if isinstance(part, Text)]
    refusals = [part.text for part in parts if isinstance(part, Refusal)]
    fields: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(part.text for part in texts) or None,
        "refusal": "".join(refusals) or None,
    }
    calls = [_call_fields(part) for part in parts if isinstance(part, ToolCall)]
    if legacy and calls:
        fields["function_call"] = calls.pop(0)["function"]
        calls = []  # the dialect of old knows one call only
    lists = {
        "annotations": _annotations(texts),
        "images": [image for part in parts if isinstance(part, Image) and (image := _image(part))],
        "tool_calls": calls,
    }
    for sound in parts:
        if isinstance(sound, Audio):
            said = {"id": sound.id or "", "data": sound.source.data or "", "expires_at": 0}
            fields["audio"] = {**said, "transcript": sound.transcript or ""}
    for text in texts:
        if text.signature is not None:
            fields["extra_content"] = signature_content(text.signature)
    thoughts = [part for part in parts if isinstance(part, Thinking)]
    return {**fields, **_thoughts(thoughts), **{name: items for name, items in lists.items() if items}}


def _thoughts(thoughts: Sequence[Thinking]) -> dict[str, Any]:
    if not thoughts:
        return {}
    fields: dict[str, Any] = {"reasoning_content": "".join(part.text for part in thoughts)}
    details = [thinking_detail(part, number) for number, part in enumerate(thoughts)]
    if any(details):
        # All of them or none: where there are details, they are all that is read of a message that is sent back.
        fields["reasoning_details"] = [
            detail or {"type": "reasoning.text", "text": part.text, "index": number}
            for number, (detail, part) in enumerate(zip(details, thoughts, strict=True))
        ]
    return fields


def _annotations(texts: Sequence[Text]) -> list[dict[str, Any]]:
    annotations: list[dict[str, Any]] = []
    start = 0
    for text in texts:
        end = start + len(text.text)
        cited = (citation_fields(citation.moved(start), start, end) for citation in text.citations)
        annotations += [annotation for annotation in cited if annotation]
        start = end
    return annotations


def _image(image: Image) -> dict[str, Any] | None:
    source = image.source
    if source.data is None:
        return None
    address = f"data:{source.media_type or 'image/png'};base64,{source.data}"
    return {"type": "image_url", "image_url": {"url": address}}


def _call_fields(call: ToolCall) -> dict[str, Any]:
    if call.custom:
        return {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    function = {"name": call.name, "arguments": call.arguments}
    fields: dict[str, Any] = {"id": call.id, "type": "function", "function": function}
    if call.signature is not None:
        fields["extra_content"] = signature_content(call.signature)
    return fields
