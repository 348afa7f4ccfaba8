"""Gemini's generateContent. https://ai.google.dev/api/generate-content."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from .anthropic import pieces
from .model import SIGNATURE, Asked, Refused, Said, Tool, at, decode, need

STREAM = "text/event-stream"
UNSIGNED = {"skip_thought_signature_validator", "context_engineering_is_the_way_to_go"}
"""What marks a call that another model made. https://ai.google.dev/gemini-api/docs/thought-signatures."""
KNOWN = {
    "contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "safetySettings", "cachedContent",
    "labels", "store", "serviceTier",
}  # fmt: skip
PARTS = {"text", "inlineData", "fileData", "functionCall", "functionResponse"}
USAGE = {"promptTokenCount": 9, "candidatesTokenCount": 4, "thoughtsTokenCount": 3, "totalTokenCount": 16}


def read(path: str, headers: Mapping[str, str], body: Any) -> Asked:
    """Check a request."""
    if headers.get("x-goog-api-key") != "not-a-real-key-but-long-enough":
        raise Refused("API key not valid. Please pass a valid API key.")
    method = path.rpartition(":")[2]
    need(path.startswith("/v1beta/models/"), f"there is nothing at {path}")
    need(method in {"generateContent", "streamGenerateContent?alt=sse"}, f"there is nothing at {path}")
    body = {_camel(name): value for name, value in body.items()}
    unknown = set(body) - KNOWN
    need(not unknown, f"Invalid JSON payload received. Unknown name {sorted(unknown)}: Cannot find field.")
    asked = Asked(stream=method.startswith("stream"))
    for one in body.get("tools") or ():
        asked.tools += [_tool(given) for given in one.get("functionDeclarations", ())]
    mode = at(body, "toolConfig", "functionCallingConfig").get("mode", "AUTO")
    need(mode in {"AUTO", "ANY", "NONE", "VALIDATED"}, f"mode: {mode}")
    asked.must_call = mode == "ANY"
    config = at(body, "generationConfig")
    asked.schema = config.get("responseJsonSchema") or config.get("responseSchema")
    need(
        asked.schema is None or config.get("responseMimeType") == "application/json",
        "a response schema needs responseMimeType application/json",
    )
    thinking = {_camel(name): value for name, value in at(config, "thinkingConfig").items()}
    need(
        not {"thinkingBudget", "thinkingLevel"} <= set(thinking),
        "You can only set only one of thinking budget and level.",
    )
    asked.thinks = bool(thinking) and thinking.get("thinkingBudget") != 0
    asked.hides = not thinking.get("includeThoughts")
    _contents(body["contents"], asked)
    return asked


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _tool(given: Any) -> Tool:
    return Tool(
        given["name"], given.get("parametersJsonSchema") or given.get("parameters") or {"type": "object"}
    )


def _contents(contents: Any, asked: Asked) -> None:
    open_calls: list[Any] = []
    for content in contents:
        parts = content["parts"]
        need(parts, "contents.parts must not be empty.")
        for part in parts:
            need(
                len(PARTS & set(part)) == 1,
                f"a part has {sorted(part)}: exactly one of its data fields must be set",
            )
        calls = [part for part in parts if "functionCall" in part]
        if content["role"] == "model":
            _signed(calls, asked)
            open_calls = [part["functionCall"] for part in calls]
            continue
        need(content["role"] in {"user", "function"}, "Please use a valid role: user, model.")
        results = [part["functionResponse"] for part in parts if "functionResponse" in part]
        need(
            len(results) == len(open_calls),
            "The number of function response parts must be equal to the number of function call parts of the function call turn.",
        )
        asked.results = []
        for call, result in zip(open_calls, results, strict=True):
            need(
                call["name"] == result["name"],
                f"a response of {result['name']!r} to a call of {call['name']!r}",
            )
            need(isinstance(result["response"], dict), "functionResponse.response must be an object")
            told = " ".join(map(str, result["response"].values()))
            asked.results.append((call["name"], call.get("args", {}), told))
        open_calls = []
        asked.text = " ".join(part["text"] for part in parts if "text" in part) or asked.text
        asked.pictures = [
            decode(part["inlineData"]["data"], for_urls=True) for part in parts if "inlineData" in part
        ]


def _signed(calls: list[Any], asked: Asked) -> None:
    """Check that the first call of the step is signed, as Gemini 3 wants it."""
    if not calls:
        return
    signature = calls[0].get("thoughtSignature")
    need(signature, f"Function call is missing a thought_signature in functionCall parts: {calls[0]}")
    need(signature in {SIGNATURE, *UNSIGNED}, "Thought signature is not valid.")
    asked.remembers = signature == SIGNATURE


def _parts(said: Said) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = [
        {"functionCall": {"name": name, "args": given, "id": f"fake{number}"}}
        for number, (name, given) in enumerate(said.calls)
    ]
    if calls:
        calls[0]["thoughtSignature"] = SIGNATURE
    thoughts = [{"text": text, "thought": True} for text in pieces(said.thoughts)]
    return [*thoughts, *({"text": text} for text in pieces(said.text)), *calls]


def _answer(parts: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    content = {"parts": parts, "role": "model"}
    return {
        "candidates": [{"content": content, "index": 0, **more}],
        "usageMetadata": USAGE,
        "modelVersion": "gemini-3.5-flash",
        "responseId": "fake",
    }


def whole(said: Said, path: str) -> dict[str, Any]:
    """Write a whole answer."""
    joined: list[dict[str, Any]] = []
    if said.thoughts:
        joined.append({"text": said.thoughts, "thought": True})
    if said.text:
        joined.append({"text": said.text})
    calls = [part for part in _parts(said) if "functionCall" in part]
    return _answer([*joined, *calls], finishReason="STOP")


def events(said: Said, path: str) -> Sequence[bytes]:
    """Write a stream."""
    *before, last = _parts(said)
    chunks = [*(_answer([part]) for part in before), _answer([last], finishReason="STOP")]
    return [f"data: {json.dumps(chunk, ensure_ascii=False)}\r\n\r\n".encode() for chunk in chunks]


def error(refused: Refused) -> dict[str, Any]:
    """Write an error."""
    status = {429: "RESOURCE_EXHAUSTED"}.get(refused.status, "INVALID_ARGUMENT")
    details: list[dict[str, Any]] = []
    if "API key" in refused.message:
        info = "type.googleapis.com/google.rpc.ErrorInfo"
        details.append({"@type": info, "reason": "API_KEY_INVALID", "domain": "googleapis.com"})
    return {
        "error": {"code": refused.status, "message": refused.message, "status": status, "details": details}
    }
