"""OpenAI's chat completions. https://platform.openai.com/docs/api-reference/chat."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from .model import Asked, Refused, Said, Tool, decode, need

STREAM = "text/event-stream"
ROLES = {"system", "developer", "user", "assistant", "tool", "function"}
KNOWN = {
    "messages", "model", "stream", "stream_options", "tools", "tool_choice", "parallel_tool_calls", "response_format",
    "reasoning_effort", "max_tokens", "max_completion_tokens", "temperature", "top_p", "n", "stop", "seed", "user",
    "metadata", "store", "logprobs", "top_logprobs", "presence_penalty", "frequency_penalty", "modalities",
    "service_tier", "verbosity", "safety_identifier", "prompt_cache_key", "logit_bias",
}  # fmt: skip
USAGE = {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16}


def read(path: str, headers: Mapping[str, str], body: Any) -> Asked:
    """Check a request."""
    if headers.get("authorization") != "Bearer not-a-real-key-but-long-enough":
        raise Refused("Incorrect API key provided.", 401)
    need(path == "/v1/chat/completions", f"there is nothing at {path}")
    return chat(body)


def chat(body: Any) -> Asked:
    """Check the body of a request."""
    unknown = set(body) - KNOWN
    need(not unknown, f"Unrecognized request arguments supplied: {sorted(unknown)}")
    need(isinstance(body["model"], str), "model")
    asked = Asked(stream=body.get("stream") is True)
    need(asked.stream or "stream_options" not in body, "stream_options is for streams only")
    asked.tools = [tool(one) for one in body.get("tools", ())]
    choice = body.get("tool_choice")
    need(choice is None or asked.tools, "tool_choice is only allowed when tools are specified")
    asked.must_call = choice == "required" or isinstance(choice, dict)
    _form(body.get("response_format"), asked)
    asked.thinks = body.get("reasoning_effort") not in {None, "none"}
    _messages(body["messages"], asked)
    return asked


def tool(given: Any) -> Tool:
    """Check a function."""
    need(given["type"] == "function", "only functions")
    function = given["function"]
    return Tool(function["name"], function.get("parameters") or {"type": "object"})


def _form(form: Any, asked: Asked) -> None:
    if form is None or form["type"] == "text":
        return
    need(form["type"] in {"json_object", "json_schema"}, f"response_format.type is {form['type']}")
    asked.schema = {"type": "object"}
    if form["type"] == "json_schema":
        need(form["json_schema"]["name"], "response_format.json_schema.name")
        asked.schema = form["json_schema"]["schema"]


def _messages(messages: Any, asked: Asked) -> None:
    open_calls: dict[str, Any] = {}
    for message in messages:
        role = message["role"]
        need(role in ROLES, f"Invalid role {role!r}")
        if role == "tool":
            call = open_calls.pop(message["tool_call_id"], None)
            need(
                call,
                f"tool_call_id {message['tool_call_id']!r} is not one of the preceding message's tool_calls",
            )
            assert call is not None
            arguments = json.loads(call["function"]["arguments"])
            asked.results.append((call["function"]["name"], arguments, _text(message["content"])))
            continue
        need(not open_calls, f"tool_calls without a response: {sorted(open_calls)}")
        asked.results = []
        if role == "assistant":
            calls = message.get("tool_calls") or ()
            need(calls or message.get("content"), "an assistant's message needs content or tool_calls")
            for call in calls:
                need(call["type"] == "function", "type of a tool call")
                open_calls[call["id"]] = call
        elif role == "user":
            asked.text = _text(message["content"])
            asked.pictures = _pictures(message["content"])
    need(not open_calls, f"tool_calls without a response: {sorted(open_calls)}")


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    for part in content:
        need(part["type"] in {"text", "image_url", "refusal"}, f"a part of type {part['type']!r}")
    return " ".join(part["text"] for part in content if part["type"] == "text")


def _pictures(content: Any) -> list[bytes]:
    if isinstance(content, str):
        return []
    urls = [part["image_url"]["url"] for part in content if part["type"] == "image_url"]
    for url in urls:
        need(url.startswith("data:image/png;base64,"), f"the picture cannot be fetched: {url:.60}")
    return [decode(url.partition(",")[2]) for url in urls]


def _calls(said: Said) -> list[dict[str, Any]]:
    return [
        {
            "id": f"call_fake{number}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }
        for number, (name, arguments) in enumerate(said.calls)
    ]


def _usage(said: Said) -> dict[str, Any]:
    thought = 3 if said.thoughts else 0
    return {**USAGE, "completion_tokens_details": {"reasoning_tokens": thought}}


def whole(said: Said, path: str) -> dict[str, Any]:
    """Write a whole answer. OpenAI does not show its models' thoughts here."""
    message: dict[str, Any] = {"role": "assistant", "content": said.text or None, "refusal": None}
    if said.calls:
        message["tool_calls"] = _calls(said)
    reason = "tool_calls" if said.calls else "stop"
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    head = {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": "gpt-5-mini",
    }
    return {**head, "choices": [choice], "usage": _usage(said)}


def events(said: Said, path: str) -> Sequence[bytes]:
    """Write a stream, with the usage at its end."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": "" if said.text else None}]
    deltas += [{"content": said.text[at : at + 4]} for at in range(0, len(said.text), 4)]
    for number, call in enumerate(_calls(said)):
        text = call["function"]["arguments"]
        begun = {**call, "index": number, "function": {**call["function"], "arguments": ""}}
        deltas.append({"tool_calls": [begun]})
        deltas += [
            {"tool_calls": [{"index": number, "function": {"arguments": text[at : at + 5]}}]}
            for at in range(0, len(text), 5)
        ]
    lines = [_chunk([{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas]
    lines.append(_chunk([{"index": 0, "delta": {}, "finish_reason": "tool_calls" if said.calls else "stop"}]))
    lines.append(_chunk([], usage=_usage(said)))
    return [*lines, b"data: [DONE]\n\n"]


def _chunk(choices: list[Any], **more: Any) -> bytes:
    head = {
        "id": "chatcmpl-fake",
        "object": "chat.completion.chunk",
        "created": 1_790_000_000,
        "model": "gpt-5-mini",
    }
    return f"data: {json.dumps({**head, 'choices': choices, **more}, ensure_ascii=False)}\n\n".encode()


def error(refused: Refused) -> dict[str, Any]:
    """Write an error."""
    kind = {429: "rate_limit_exceeded", 401: "invalid_api_key"}.get(refused.status)
    return {
        "error": {"message": refused.message, "type": "invalid_request_error", "param": None, "code": kind}
    }
