"""Ollama's chat. https://docs.ollama.com/api/chat."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from .anthropic import pieces
from .model import Asked, Refused, Said, Tool, decode, need

STREAM = "application/x-ndjson"
HEAD = {"model": "qwen3", "created_at": "2026-11-01T12:00:00.000000Z"}
COUNTS = {
    "total_duration": 5,
    "load_duration": 1,
    "prompt_eval_count": 9,
    "eval_count": 7,
    "eval_duration": 2,
}


def read(path: str, headers: Mapping[str, str], body: Any) -> Asked:
    """Check a request."""
    need(path == "/api/chat", f"there is nothing at {path}")
    asked = Asked(stream=body.get("stream", True))
    functions = [one["function"] for one in body.get("tools") or () if one["type"] == "function"]
    asked.tools = [Tool(one["name"], one["parameters"]) for one in functions]
    form = body.get("format")
    asked.schema = form if isinstance(form, dict) else {"type": "object"} if form == "json" else None
    asked.thinks = body.get("think") not in {None, False}
    calls: list[Any] = []
    for message in body["messages"]:
        need(isinstance(message.get("content", ""), str), "cannot unmarshal array into field of type string")
        match message["role"]:
            case "tool":
                need(calls, "a result without a call")
                function = calls.pop(0)["function"]
                need(isinstance(function["arguments"], dict), "arguments must be an object")
                need(message.get("tool_name", function["name"]) == function["name"], "tool_name")
                asked.results.append((function["name"], function["arguments"], message["content"]))
            case "assistant":
                calls = list(message.get("tool_calls") or ())
                asked.remembers = bool(message.get("thinking"))
                asked.results = []
            case "user":
                asked.text = message["content"]
                asked.pictures = [decode(one) for one in message.get("images") or ()]
                asked.results = []
            case role:
                need(role == "system", f"invalid role {role!r}")
    return asked


def whole(said: Said, path: str) -> dict[str, Any]:
    """Write a whole answer."""
    message: dict[str, Any] = {"role": "assistant", "content": said.text}
    if said.thoughts:
        message["thinking"] = said.thoughts
    if said.calls:
        message["tool_calls"] = [
            {"function": {"name": name, "arguments": given}} for name, given in said.calls
        ]
    return {**HEAD, "message": message, "done": True, "done_reason": "stop", **COUNTS}


def events(said: Said, path: str) -> Sequence[bytes]:
    """Write a stream: lines of JSON, each tool call whole."""
    messages: list[dict[str, Any]] = [{"content": "", "thinking": text} for text in pieces(said.thoughts)]
    messages += [{"content": text} for text in pieces(said.text)]
    messages += [
        {"content": "", "tool_calls": [{"function": {"name": name, "arguments": given}}]}
        for name, given in said.calls
    ]
    lines: list[dict[str, Any]] = [
        {**HEAD, "message": {"role": "assistant", **one}, "done": False} for one in messages
    ]
    last = {"role": "assistant", "content": ""}
    lines.append({**HEAD, "message": last, "done": True, "done_reason": "stop", **COUNTS})
    return [json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines]


def error(refused: Refused) -> dict[str, Any]:
    """Write an error."""
    return {"error": refused.message}
