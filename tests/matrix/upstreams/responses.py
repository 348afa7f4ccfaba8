"""OpenAI's Responses, as OpenAI and Azure have them. https://platform.openai.com/docs/api-reference/responses."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from . import openai
from .anthropic import pieces
from .model import SIGNATURE, Asked, Refused, Said, Tool, at, decode, need

STREAM = openai.STREAM
KNOWN = {
    "model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "text", "reasoning", "stream",
    "stream_options", "store", "include", "max_output_tokens", "temperature", "top_p", "truncation", "metadata",
    "user", "service_tier", "previous_response_id", "background", "prompt_cache_key", "safety_identifier",
    "top_logprobs", "max_tool_calls", "conversation", "prompt",
}  # fmt: skip
USAGE = {
    "input_tokens": 9,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 16,
}


def read(path: str, headers: Mapping[str, str], body: Any) -> Asked:
    """Check a request."""
    key = headers.get("api-key") or headers.get("authorization", "").removeprefix("Bearer ")
    if key != "not-a-real-key-but-long-enough":
        raise Refused("Incorrect API key provided.", 401)
    unknown = set(body) - KNOWN
    need(not unknown, f"Unknown parameter: {sorted(unknown)}")
    asked = Asked(stream=body.get("stream") is True)
    functions = [one for one in body.get("tools") or () if one["type"] == "function"]
    asked.tools = [Tool(one["name"], one.get("parameters") or {"type": "object"}) for one in functions]
    choice = body.get("tool_choice")
    asked.must_call = choice == "required" or isinstance(choice, dict)
    form: Any = at(body, "text", "format") or {"type": "text"}
    if form["type"] == "json_schema":
        need(form["name"], "text.format.name")
        asked.schema = form["schema"]
    asked.thinks = at(body, "reasoning").get("effort") not in {None, "none"}
    need(not body.get("previous_response_id"), "Previous response not found.")
    given = body["input"]
    items: Any = [{"role": "user", "content": given}] if isinstance(given, str) else given
    _items(items, asked)
    return asked


def _items(items: Any, asked: Asked) -> None:
    calls: dict[str, Any] = {}
    for item in items:
        match item.get("type", "message"):
            case "function_call":
                calls[item["call_id"]] = item
                json.loads(item["arguments"])
            case "function_call_output":
                call = calls.pop(item["call_id"], None)
                need(call, f"No tool call found for function call output with call_id {item['call_id']}.")
                assert call is not None
                asked.results.append((call["name"], json.loads(call["arguments"]), _text(item["output"])))
            case "reasoning":
                need(item["encrypted_content"] == SIGNATURE, "The encrypted content could not be verified.")
                asked.remembers = True
            case "message":
                asked.results = []
                if item["role"] == "user":
                    asked.text = _text(item["content"])
                    asked.pictures = _pictures(item["content"])
            case kind:
                raise Refused(f"Invalid value: '{kind}'.")
    need(not calls, f"No tool output found for function call {sorted(calls)}.")


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return " ".join(part["text"] for part in content if part["type"] in {"input_text", "output_text"})


def _pictures(content: Any) -> list[bytes]:
    if isinstance(content, str):
        return []
    urls = [part["image_url"] for part in content if part["type"] == "input_image"]
    return [decode(url.partition(";base64,")[2]) for url in urls]


def _output(said: Said) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if said.thoughts:
        summary = [{"type": "summary_text", "text": said.thoughts}]
        items.append(
            {"type": "reasoning", "id": "rs_fake", "summary": summary, "encrypted_content": SIGNATURE}
        )
    if said.text:
        part: dict[str, Any] = {"type": "output_text", "text": said.text, "annotations": [], "logprobs": []}
        head = {"type": "message", "id": "msg_fake", "role": "assistant", "status": "completed"}
        items.append({**head, "content": [part]})
    for number, (name, given) in enumerate(said.calls):
        head = {"type": "function_call", "id": f"fc_fake{number}", "call_id": f"call_fake{number}"}
        items.append({**head, "name": name, "arguments": json.dumps(given), "status": "completed"})
    return items


def whole(said: Said, path: str) -> dict[str, Any]:
    """Write a whole answer."""
    return {
        "id": f"resp_{uuid.uuid4().hex}",
        "object": "response",
        "created_at": 1_790_000_000,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "model": "gpt-5-mini",
        "output": _output(said),
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "store": False,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "temperature": 1.0,
        "top_p": 1.0,
        "metadata": {},
        "usage": USAGE,
    }


def events(said: Said, path: str) -> Sequence[bytes]:
    """Write a stream."""
    finished = whole(said, path)
    begun: dict[str, Any] = {**finished, "status": "in_progress", "output": [], "usage": None}
    sent: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for index, item in enumerate(_output(said)):
        sent += _item_events(index, item)
    sent.append({"type": "response.completed", "response": finished})
    return [
        f"event: {one['type']}\ndata: {json.dumps({**one, 'sequence_number': number}, ensure_ascii=False)}\n\n".encode()
        for number, one in enumerate(sent)
    ]


def _item_events(index: int, item: dict[str, Any]) -> list[dict[str, Any]]:
    place = {"item_id": item["id"], "output_index": index}
    begun: dict[str, Any]
    inner: list[dict[str, Any]]
    match item["type"]:
        case "message":
            part = item["content"][0]
            empty = {**part, "text": ""}
            begun = {**item, "status": "in_progress", "content": []}
            text = {**place, "content_index": 0}
            told: list[dict[str, Any]] = [
                {"type": "response.output_text.delta", **text, "delta": one, "logprobs": []}
                for one in pieces(part["text"])
            ]
            inner = [
                {"type": "response.content_part.added", **text, "part": empty},
                *told,
                {"type": "response.output_text.done", **text, "text": part["text"], "logprobs": []},
                {"type": "response.content_part.done", **text, "part": part},
            ]
        case "reasoning":
            part = item["summary"][0]
            begun = {**item, "summary": [], "encrypted_content": ""}
            text = {**place, "summary_index": 0}
            inner = [
                {"type": "response.reasoning_summary_part.added", **text, "part": {**part, "text": ""}},
                *(
                    {"type": "response.reasoning_summary_text.delta", **text, "delta": one}
                    for one in pieces(part["text"])
                ),
                {"type": "response.reasoning_summary_text.done", **text, "text": part["text"]},
                {"type": "response.reasoning_summary_part.done", **text, "part": part},
            ]
        case _:
            begun = {**item, "arguments": "", "status": "in_progress"}
            inner = [
                *(
                    {"type": "response.function_call_arguments.delta", **place, "delta": one}
                    for one in pieces(item["arguments"])
                ),
                {"type": "response.function_call_arguments.done", **place, "arguments": item["arguments"]},
            ]
    return [
        {"type": "response.output_item.added", "output_index": index, "item": begun},
        *inner,
        {"type": "response.output_item.done", "output_index": index, "item": item},
    ]


def error(refused: Refused) -> dict[str, Any]:
    """Write an error."""
    return openai.error(refused)
