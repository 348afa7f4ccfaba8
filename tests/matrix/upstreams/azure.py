"""OpenAI on Azure: its own header for the key, its own path, filters in the answers.

https://learn.microsoft.com/azure/ai-foundry/openai/latest
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import openai
from .model import Asked, Refused, Said, need

STREAM = openai.STREAM
SAFE = {"hate": {"filtered": False, "severity": "safe"}}


def read(path: str, headers: Mapping[str, str], body: Any) -> Asked:
    """Check a request."""
    if headers.get("api-key") != "not-a-real-key-but-long-enough":
        raise Refused("Access denied due to invalid subscription key.", 401)
    need(path == "/openai/v1/chat/completions", f"there is nothing at {path}")
    return openai.chat(body)


def whole(said: Said, path: str) -> dict[str, Any]:
    """Write a whole answer."""
    fields = openai.whole(said, path)
    fields["choices"][0]["content_filter_results"] = SAFE
    return {**fields, "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": SAFE}]}


def events(said: Said, path: str) -> Sequence[bytes]:
    """Write a stream; its first event has no choice, only what the filters found."""
    first = b'data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[]}\n\n'
    return [first, *openai.events(said, path)]


def error(refused: Refused) -> dict[str, Any]:
    """Write an error."""
    return {"error": {"code": str(refused.status), "message": refused.message}}
