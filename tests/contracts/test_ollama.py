from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from gateway.testing.contracts import ProviderContract
from gateway.testing.contracts.provider import MODEL, TEXT, Situation
from gateway.testing.upstream import FakeUpstream, Reply
from gateway.types import Capability, Dialect
from gateway_ollama import Ollama

AT = "2026-11-21T10:15:30Z"
JSON = {"content-type": "application/json; charset=utf-8", "set-cookie": "session=upstream"}
LINES = {"content-type": "application/x-ndjson"}
REFUSAL = Reply(status=429, headers={**JSON, "retry-after": "2"}, parts=[b'{"error": "the queue is full"}'])


def line(content: str, **fields: Any) -> bytes:
    message = {"role": "assistant", "content": content}
    return (
        json.dumps({"model": MODEL, "created_at": AT, "message": message, "done": False, **fields}).encode()
        + b"\n"
    )


class TestOllama(ProviderContract):
    plugin = Ollama

    def config(self) -> dict[str, object]:
        return {"base_url": "{upstream}"}

    def arrange(self, situation: Situation, upstream: FakeUpstream) -> Mapping[str, Any]:
        done = {"done": True, "done_reason": "stop", "prompt_eval_count": 3, "eval_count": 9}
        lines = [line(f"{word} ") for word in TEXT.split()]
        replies: dict[Situation, Reply] = {
            "answer": Reply(headers=JSON, parts=[line(TEXT, **done)]),
            "stream": Reply(headers=LINES, parts=[*lines, line("", **done)]),
            "refusal": REFUSAL,
            "cut": Reply(headers=LINES, parts=lines[:2], ending="cut"),
            "hang": Reply(ending="hang"),
        }
        upstream.reply(replies[situation])
        return self.request(stream=situation in {"stream", "cut"})


class TestOllamaEmbeddings(ProviderContract):
    plugin = Ollama
    capability: ClassVar[Capability] = "embedding"
    dialect: ClassVar[Dialect] = "openai.embeddings"

    def config(self) -> dict[str, object]:
        return {"base_url": "{upstream}"}

    def arrange(self, situation: Situation, upstream: FakeUpstream) -> Mapping[str, Any] | None:
        answer = {"model": MODEL, "embeddings": [[0.5, 0.5]], "prompt_eval_count": 2}
        replies: dict[Situation, Reply] = {
            "answer": Reply(headers=JSON, parts=[json.dumps(answer).encode()]),
            "refusal": REFUSAL,
            "hang": Reply(ending="hang"),
        }
        if situation not in replies:
            return None
        upstream.reply(replies[situation])
        return {"model": MODEL, "input": "Hello?"}
