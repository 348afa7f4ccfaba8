from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from gateway.testing.contracts import ProviderContract
from gateway.testing.contracts.provider import MODEL, TEXT, Situation
from gateway.testing.upstream import FakeUpstream, Reply
from gateway.types import Capability, Dialect
from gateway_cohere import Cohere

JSON = {"content-type": "application/json", "set-cookie": "session=upstream"}
KEY = "not-a-real-key-but-long-enough"
REFUSAL = Reply(
    status=429,
    headers={**JSON, "retry-after": "2"},
    parts=[json.dumps({"id": "1", "message": f"trial token {KEY} is rate limited"}).encode()],
)


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


class TestCohere(ProviderContract):
    plugin = Cohere

    def config(self) -> dict[str, object]:
        return {"base_url": "{upstream}", "api_key": KEY}

    def arrange(self, situation: Situation, upstream: FakeUpstream) -> Mapping[str, Any]:
        usage = {"tokens": {"input_tokens": 3.0, "output_tokens": 9.0}}
        message = {"role": "assistant", "content": [{"type": "text", "text": TEXT}]}
        answer = {"id": "c1", "finish_reason": "COMPLETE", "message": message, "usage": usage}
        deltas = [
            event("content-delta", index=0, delta={"message": {"content": {"text": f"{word} "}}})
            for word in TEXT.split()
        ]
        start = event("message-start", id="c1", delta={"message": {"role": "assistant", "content": []}})
        end = event("message-end", delta={"finish_reason": "COMPLETE", "usage": usage})
        events = {"content-type": "text/event-stream"}
        replies: dict[Situation, Reply] = {
            "answer": Reply(headers=JSON, parts=[json.dumps(answer).encode()]),
            "stream": Reply(headers=events, parts=[start, *deltas, end]),
            "refusal": REFUSAL,
            "cut": Reply(headers=events, parts=[start, *deltas[:2]], ending="cut"),
            "hang": Reply(ending="hang"),
        }
        upstream.reply(replies[situation])
        return self.request(stream=situation in {"stream", "cut"})


class TestCohereRerank(ProviderContract):
    plugin = Cohere
    capability: ClassVar[Capability] = "rerank"
    dialect: ClassVar[Dialect] = "cohere.rerank"

    def config(self) -> dict[str, object]:
        return {"base_url": "{upstream}", "api_key": KEY}

    def arrange(self, situation: Situation, upstream: FakeUpstream) -> Mapping[str, Any] | None:
        answer = {
            "id": "r1",
            "results": [{"index": 0, "relevance_score": 0.9}],
            "meta": {"billed_units": {"search_units": 1}},
        }
        replies: dict[Situation, Reply] = {
            "answer": Reply(headers=JSON, parts=[json.dumps(answer).encode()]),
            "refusal": REFUSAL,
            "hang": Reply(ending="hang"),
        }
        if situation not in replies:
            return None
        upstream.reply(replies[situation])
        return {"model": MODEL, "query": "capital", "documents": ["Oslo", "Bergen"]}
