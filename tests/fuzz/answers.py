"""What each provider of the fuzzed gateway answers: the golden answers of its dialect, whole and streamed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from gateway.testing import replies
from gateway.wire.aws_event_stream import frame

from .canned import CannedProvider
from .served import Served

_WIRE = Path(__file__).parents[1] / "gateway" / "wire"
_BEDROCK = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Fog."}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5},
}
_BEDROCK_STREAM = (
    ("messageStart", {"role": "assistant"}),
    ("contentBlockDelta", {"delta": {"text": "Fog."}, "contentBlockIndex": 0}),
    ("contentBlockStop", {"contentBlockIndex": 0}),
    ("messageStop", {"stopReason": "end_turn"}),
    ("metadata", {"usage": _BEDROCK["usage"], "metrics": {"latencyMs": 1}}),
)
_RANKING = {
    "id": "r",
    "results": [{"index": 0, "relevance_score": 0.9}],
    "meta": {"billed_units": {"search_units": 1}},
}

SPEAKS: Mapping[str, Mapping[str, str]] = {
    "anthropic": {"chat": "anthropic.messages", "tokens": "anthropic.count_tokens"},
    "bedrock": {"chat": "bedrock.converse", "embedding": "bedrock.embeddings"},
    "cohere": {"chat": "cohere.chat", "embedding": "cohere.embed", "rerank": "cohere.rerank"},
    "gemini": {"chat": "gemini.generate", "embedding": "gemini.embed", "tokens": "gemini.count_tokens"},
    "ollama": {"chat": "ollama.chat", "embedding": "ollama.embed"},
    "openai": {"chat": "openai.chat", "embedding": "openai.embeddings", "moderation": "openai.moderations"},
    "responses": {"chat": "openai.responses", "responses": "openai.responses"},
}
"""The dialects of each provider."""


def config(**core: Any) -> dict[str, Any]:
    """Make the config: the mock, and a canned provider for every dialect."""
    canned = {name: {"use": "canned", "dialects": dict(dialects)} for name, dialects in SPEAKS.items()}
    return {"gateway": core, "provider": {"mock": {}, **canned}}


def providers(served: Served) -> dict[str, CannedProvider]:
    """Find the canned providers of a gateway by name."""
    found = served.gateway.registry.facade.providers()
    return {provider.name: cast("CannedProvider", provider) for provider in found if provider.name != "mock"}


def fill(served: Served) -> None:
    """Let every provider answer as its dialect's documentation has it."""
    for provider in providers(served).values():
        provider.whole, provider.streams = dict(WHOLE), dict(STREAMS)


def _read(path: str) -> bytes:
    return (_WIRE / path).read_bytes()


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


_VECTORS = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}], "model": "m"}

WHOLE: Mapping[str, bytes] = {
    "anthropic.messages": _read("anthropic_messages/answer.json"),
    "anthropic.count_tokens": b'{"input_tokens": 3}',
    "bedrock.converse": _json(_BEDROCK),
    "bedrock.embeddings": b'{"embedding": [0.5], "inputTextTokenCount": 2}',
    "cohere.chat": _read("cohere_chat/answer.json"),
    "cohere.embed": b'{"id": "e", "embeddings": {"float": [[0.5]]}, "meta": {"billed_units": {"input_tokens": 2}}}',
    "cohere.rerank": _json(_RANKING),
    "gemini.generate": _read("gemini_generate/golden/answer.json"),
    "gemini.embed": b'{"embeddings": [{"values": [0.5]}]}',
    "gemini.count_tokens": b'{"totalTokens": 3}',
    "ollama.chat": _read("ollama_chat/answer.json"),
    "ollama.embed": b'{"model": "m", "embeddings": [[0.5]], "prompt_eval_count": 2}',
    "openai.chat": _read("openai_chat/golden/answer.json"),
    "openai.embeddings": _json({**_VECTORS, "usage": {"prompt_tokens": 2, "total_tokens": 2}}),
    "openai.moderations": b'{"id": "m", "model": "m", "results": []}',
    "openai.responses": _read("openai_responses/answer.json"),
}
"""Whole answers by dialect."""

STREAMS: Mapping[str, list[bytes]] = {
    "anthropic.messages": [_read("anthropic_messages/everything.sse")],
    "bedrock.converse": [
        frame(
            {":event-type": kind, ":content-type": "application/json", ":message-type": "event"},
            _json(fields),
        )
        for kind, fields in _BEDROCK_STREAM
    ],
    "cohere.chat": [_read("cohere_chat/tools.sse")],
    "gemini.generate": [_read("gemini_generate/golden/stream.sse")],
    "ollama.chat": [_read("ollama_chat/stream.ndjson")],
    "openai.chat": list(replies.completion_events("Fog in Oslo.", "canned")),
    "openai.responses": [_read("openai_responses/stream.sse")],
}
"""Streamed chats by dialect."""
