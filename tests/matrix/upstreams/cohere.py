"""Cohere's chat. https://docs.cohere.com/v2/reference/chat."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from .anthropic import pieces
from .model import Asked, Refused, Said, Tool, at, decode, need

STREAM = "text/event-stream"
KNOWN = {
    "model", "messages", "stream", "tools", "strict_tools", "tool_choice", "documents", "citation_options",
    "response_format", "safety_mode", "max_tokens", "stop_sequences", "temperature", "seed", "frequency_penalty",
    "presence_penalty", "k", "p", "logprobs", "thinking", "priority",
}  # fmt: skip
USAGE = {
    "billed_units": {"input_tokens": 5, "output_tokens": 7},
    "tokens": {"input_tokens": 9, "output_tokens": 7},
}


def read(path: str, headers: Mapping[str, str], body: Any) -> Asked:
    """Check a request."""
    if headers.get("authorization") != "Bearer not-a-real-key-but-long-enough":
        raise Refused("invalid api token", 401)
    need(path == "/v2/chat", f"there is nothing at {path}")
    unknown = set(body) - KNOWN
    need(not unknown, f"unknown field: parameter {sorted(unknown)} is not a valid field")
    asked = Asked(stream=body.get("stream") is True)
    functions = [one["function"] for one in body.get("tools", ()) if one["type"] == "function"]
    asked.tools = [Tool(one["name"], one["parameters"]) for one in functions]
    need(body.get("tool_choice") in {None, "REQUIRED", "NONE"}, f"tool_choice {body.get('tool_choice')!r}")
    asked.must_call = body.get("tool_choice") == "REQUIRED"
    form: Any = body.get("response_format") or {"type": "text"}
    if form["type"] != "text":
        need(form["type"] == "json_object", "response_format.type")
        need(not asked.tools, "response_format is not supported with tools")
        asked.schema = form.get("json_schema") or {"type": "object"}
    asked.thinks = at(body, "thinking").get("type") == "enabled"
    _messages(body["messages"], asked)
    return asked


def _messages(messages: Any, asked: Asked) -> None:
    open_calls: dict[str, Any] = {}
    for number, message in enumerate(messages):
        role = message["role"]
        need(role != "system" or number == 0, "a system message must be first")
        if role == "tool":
            call = open_calls.pop(message["tool_call_id"], None)
            need(call, f"tool_call_id {message['tool_call_id']!r} was not called")
            assert call is not None
            arguments = json.loads(call["function"]["arguments"])
            asked.results.append((call["function"]["name"], arguments, _text(message["content"])))
            continue
        need(not open_calls, "each tool call needs a result")
        asked.results = []
        if role == "assistant":
            need(message.get("content") or message.get("tool_calls"), "content or tool_calls")
            open_calls = {call["id"]: call for call in message.get("tool_calls") or ()}
            asked.remembers = bool(message.get("tool_plan")) or _thoughtful(message.get("content"))
        elif role == "user":
            asked.text = _text(message["content"])
            parts: Any = [] if isinstance(message["content"], str) else message["content"]
            urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
            asked.pictures = [decode(url.partition(";base64,")[2]) for url in urls]
        else:
            need(role == "system", f"invalid role {role!r}")


def _thoughtful(content: Any) -> bool:
    return not isinstance(content, str) and any(part["type"] == "thinking" for part in content or ())


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    texts = [
        part["document"]["data"] if part["type"] == "document" else part.get("text", "") for part in content
    ]
    return " ".join(text if isinstance(text, str) else " ".join(map(str, text.values())) for text in texts)


def whole(said: Said, path: str) -> dict[str, Any]:
    """Write a whole answer."""
    message: dict[str, Any] = {"role": "assistant"}
    content: list[dict[str, Any]] = []
    if said.thoughts and not said.calls:
        content.append({"type": "thinking", "thinking": said.thoughts})
    if said.text:
        content.append({"type": "text", "text": said.text})
    if content:
        message["content"] = content
    if said.calls:
        message |= {"tool_plan": said.thoughts or "I will look.", "tool_calls": _calls(said)}
    reason = "TOOL_CALL" if said.calls else "COMPLETE"
    return {"id": "fake", "finish_reason": reason, "message": message, "usage": USAGE}


def _calls(said: Said) -> list[dict[str, Any]]:
    return [
        {
            "id": f"fake_{name}_{number}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(given)},
        }
        for number, (name, given) in enumerate(said.calls)
    ]


def events(said: Said, path: str) -> Sequence[bytes]:
    """Write a stream."""
    sent: list[dict[str, Any]] = [
        {"type": "message-start", "id": "fake", "delta": {"message": {"role": "assistant", "content": []}}}
    ]
    blocks = [("thinking", said.thoughts)] if said.thoughts and not said.calls else []
    for index, (kind, text) in enumerate([*blocks, *([("text", said.text)] if said.text else [])]):
        sent.append(_message("content-start", index, content={"type": kind, kind: ""}))
        sent += [_message("content-delta", index, content={kind: part}) for part in pieces(text)]
        sent.append({"type": "content-end", "index": index})
    if said.calls:
        plan = said.thoughts or "I will look."
        sent += [
            {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": part}}} for part in pieces(plan)
        ]
    for index, call in enumerate(_calls(said)):
        function = call["function"]
        sent.append(
            _message("tool-call-start", index, tool_calls={**call, "function": {**function, "arguments": ""}})
        )
        sent += [
            _message("tool-call-delta", index, tool_calls={"function": {"arguments": part}})
            for part in pieces(function["arguments"])
        ]
        sent.append({"type": "tool-call-end", "index": index})
    end = {"finish_reason": "TOOL_CALL" if said.calls else "COMPLETE", "usage": USAGE}
    sent.append({"type": "message-end", "delta": end})
    return [f"event: {one['type']}\ndata: {json.dumps(one, ensure_ascii=False)}\n\n".encode() for one in sent]


def _message(kind: str, index: int, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "index": index, "delta": {"message": fields}}


def error(refused: Refused) -> dict[str, Any]:
    """Write an error."""
    return {"message": refused.message}
