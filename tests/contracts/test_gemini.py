from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.testing.contracts import ProviderContract
from gateway.testing.contracts.plugin import secrets_of
from gateway.testing.contracts.provider import MODEL, TEXT, Situation
from gateway.testing.upstream import FakeUpstream, Reply
from gateway_gemini import Gemini

USAGE = {"promptTokenCount": 7, "candidatesTokenCount": 8, "totalTokenCount": 15}


def answer(text: str, **more: Any) -> dict[str, Any]:
    candidate = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
    return {"candidates": [candidate | more], "modelVersion": MODEL, "responseId": "response-1"}


def events(text: str) -> Sequence[bytes]:
    """Play a stream: a word at a time, the last one with the reason to stop, and usage in each event."""
    words = text.split(" ")
    chunks = [answer(word + " ") for word in words[:-1]] + [answer(words[-1], finishReason="STOP")]
    return [
        b"data: " + json.dumps({**chunk, "usageMetadata": USAGE}).encode() + b"\r\n\r\n" for chunk in chunks
    ]


class TestGemini(ProviderContract):
    plugin = Gemini

    def config(self) -> dict[str, object]:
        return {"base_url": "{upstream}/v1beta", "api_key": "not-a-real-key-but-long-enough"}

    def arrange(self, situation: Situation, upstream: FakeUpstream) -> Mapping[str, Any] | None:
        event_stream = {"content-type": "text/event-stream"}
        json_body = {"content-type": "application/json; charset=UTF-8", "set-cookie": "session=upstream"}
        match situation:
            case "answer":
                body = {**answer(TEXT, finishReason="STOP"), "usageMetadata": USAGE}
                upstream.reply(Reply(headers=json_body, parts=[json.dumps(body).encode()]))
            case "stream":
                upstream.reply(Reply(headers=event_stream, parts=events(TEXT)))
            case "refusal":
                message = f"Too many requests for {', '.join(secrets_of(self.validated()))}."
                retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.5s"}
                error = {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED", "details": [retry]}
                body = json.dumps([{"error": error}]).encode()
                upstream.reply(Reply(status=429, headers=json_body, parts=[body]))
            case "cut":
                upstream.reply(Reply(headers=event_stream, parts=events(TEXT)[:3], ending="cut"))
            case "hang":
                upstream.reply(Reply(ending="hang"))
        return self.request(stream=situation in {"stream", "cut"})


class TestGeminiOnVertex(TestGemini):
    def config(self) -> dict[str, object]:
        return {
            "base_url": "{upstream}/v1",
            "project": "a-project",
            "location": "europe-west4",
            "access_token": "not-a-real-token-but-long-enough",
        }
