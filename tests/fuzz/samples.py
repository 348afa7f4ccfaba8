"""A good request for each route, from which bad ones are made."""

from __future__ import annotations

import json
from typing import Any

PICTURE = "data:image/png;base64,iVBORw0KGgo="
TOOL = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}

CHAT: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": PICTURE}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "look", "arguments": '{"city":"Oslo"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "Fog."},
        {"role": "user", "content": "So?"},
    ],
    "tools": [{"type": "function", "function": {"name": "look", "parameters": TOOL}}],
    "tool_choice": "auto",
    "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": TOOL, "strict": True}},
    "stop": ["END"],
    "temperature": 0.5,
    "max_completion_tokens": 50,
    "stream": False,
    "stream_options": {"include_usage": True},
}
MESSAGES: dict[str, Any] = {
    "max_tokens": 50,
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
                },
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
                {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"city": "Oslo"}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "Fog."}]},
    ],
    "tools": [{"name": "look", "description": "Looks.", "input_schema": TOOL}],
    "tool_choice": {"type": "auto"},
    "stop_sequences": ["END"],
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "stream": False,
}
CONTENTS: dict[str, Any] = {
    "contents": [
        {
            "role": "user",
            "parts": [{"text": "Hi"}, {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}],
        },
        {"role": "model", "parts": [{"functionCall": {"name": "look", "args": {"city": "Oslo"}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "look", "response": {"said": "Fog."}}}]},
    ],
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
    "tools": [{"functionDeclarations": [{"name": "look", "parameters": TOOL}]}],
    "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
    "generationConfig": {
        "temperature": 0.5,
        "maxOutputTokens": 50,
        "stopSequences": ["END"],
        "thinkingConfig": {"thinkingBudget": 100},
    },
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
}
RESPONSE: dict[str, Any] = {
    "instructions": "Be brief.",
    "input": [
        {
            "role": "user",
            "content": [{"type": "input_text", "text": "Hi"}, {"type": "input_image", "image_url": PICTURE}],
        },
        {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "Fog."},
    ],
    "tools": [{"type": "function", "name": "look", "parameters": TOOL, "strict": False}],
    "text": {"format": {"type": "text"}},
    "reasoning": {"effort": "low"},
    "stream": False,
    "store": True,
    "background": False,
    "previous_response_id": None,
}
EMBED: dict[str, Any] = {
    "content": {"parts": [{"text": "Hi"}]},
    "taskType": "CLUSTERING",
    "outputDimensionality": 8,
}

BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": CHAT,
    "/v1/completions": {"prompt": ["Once"], "max_tokens": 9, "stream": False, "stop": "END", "n": 1},
    "/v1/responses": RESPONSE,
    "/v1/responses/input_tokens": RESPONSE,
    "/v1/embeddings": {"input": ["Hi"], "encoding_format": "base64", "dimensions": 8, "user": "u"},
    "/v1/moderations": {"input": [{"type": "text", "text": "Hi"}]},
    "/v1/images/generations": {"prompt": "A fox", "n": 1, "size": "1024x1024", "stream": False},
    "/v1/images/edits": {"prompt": "A hat", "images": [{"image_url": PICTURE}]},
    "/v1/audio/speech": {"input": "Hi", "voice": "alloy", "response_format": "wav", "stream_format": "sse"},
    "/v1/messages": MESSAGES,
    "/v1/messages/count_tokens": {k: MESSAGES[k] for k in ("system", "messages", "tools")},
    "/v1/rerank": {"query": "q", "documents": ["a", {"text": "b"}], "top_n": 1, "return_documents": True},
    "/v2/rerank": {"query": "q", "documents": ["a", "b"], "top_n": 1},
    "/v1/embed": {"texts": ["Hi"], "input_type": "clustering"},
    "/v2/embed": {
        "inputs": [{"content": [{"type": "text", "text": "Hi"}]}],
        "input_type": "search_query",
        "embedding_types": ["float", "base64"],
        "output_dimension": 8,
        "truncate": "END",
    },
    "/v1beta/models/MODEL:generateContent": CONTENTS,
    "/v1beta/models/MODEL:streamGenerateContent": CONTENTS,
    "/v1beta/models/MODEL:countTokens": {"generateContentRequest": CONTENTS},
    "/v1beta/models/MODEL:embedContent": EMBED,
    "/v1beta/models/MODEL:batchEmbedContents": {"requests": [EMBED]},
}
"""JSON bodies by path; `MODEL` in a path stands for the model, which others have in the body."""

FORMS: dict[str, dict[str, str | bytes]] = {
    "/v1/images/edits": {"prompt": "A hat", "n": "1", "image": b"\x89PNG\r\n\x1a\n"},
    "/v1/images/variations": {"n": "1", "image": b"\x89PNG\r\n\x1a\n"},
    "/v1/audio/transcriptions": {"file": b"RIFF\x00", "response_format": "json", "stream": "false"},
    "/v1/audio/translations": {"file": b"RIFF\x00", "response_format": "json"},
}
"""Fields of forms by path."""
BOUNDARY = "----a-boundary"


def request(path: str, model: str, *, stream: bool = False) -> tuple[str, bytes]:
    """Make a good request: its path and its body."""
    body = dict(BODIES[path])
    if "MODEL" in path:
        return path.replace("MODEL", model), json.dumps(body).encode()
    body = {"model": model, **body}
    if "stream" in body:
        body["stream"] = stream
    return path, json.dumps(body).encode()


def form(path: str, model: str, **fields: str) -> bytes:
    """Make the body of a good form, with the boundary BOUNDARY; bytes are files."""
    parts: list[bytes] = []
    for name, value in {"model": model, **FORMS[path], **fields}.items():
        head = f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="{name}"'
        if isinstance(value, bytes):
            head += '; filename="a.bin"\r\ncontent-type: application/octet-stream'
        parts.append(head.encode() + b"\r\n\r\n" + (value if isinstance(value, bytes) else value.encode()))
    return b"\r\n".join([*parts, f"--{BOUNDARY}--\r\n".encode()])
