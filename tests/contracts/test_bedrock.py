from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gateway.testing.contracts import ProviderContract
from gateway.testing.contracts.plugin import secrets_of
from gateway.testing.contracts.provider import TEXT, Situation
from gateway.testing.upstream import FakeUpstream, Reply
from gateway.wire.aws_event_stream import frame
from gateway_bedrock import Bedrock

USAGE = {"inputTokens": 3, "outputTokens": 8, "totalTokens": 11}
JSON = {"content-type": "application/json", "set-cookie": "session=upstream"}
STREAM = {"content-type": "application/vnd.amazon.eventstream"}


def event(name: str, payload: Any) -> bytes:
    headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, json.dumps(payload).encode())


def answer() -> bytes:
    message = {"role": "assistant", "content": [{"text": TEXT}]}
    fields = {"output": {"message": message}, "stopReason": "end_turn", "usage": USAGE, "metrics": {}}
    return json.dumps(fields).encode()


def events() -> list[bytes]:
    words = [
        event("contentBlockDelta", {"delta": {"text": f"{word} "}, "contentBlockIndex": 0})
        for word in TEXT.split()
    ]
    return [
        event("messageStart", {"role": "assistant"}),
        *words,
        event("contentBlockStop", {"contentBlockIndex": 0}),
        event("messageStop", {"stopReason": "end_turn"}),
        event("metadata", {"usage": USAGE, "metrics": {"latencyMs": 1}}),
    ]


class BedrockContract(ProviderContract):
    plugin = Bedrock

    def arrange(self, situation: Situation, upstream: FakeUpstream) -> Mapping[str, Any] | None:
        match situation:
            case "answer":
                upstream.reply(Reply(headers=JSON, parts=[answer()]))
            case "stream":
                upstream.reply(Reply(headers=STREAM, parts=events()))
            case "refusal":
                message = f"Too many requests for {', '.join(secrets_of(self.validated()))}."
                headers = {**JSON, "x-amzn-errortype": "ThrottlingException", "retry-after": "2"}
                body = json.dumps({"message": message}).encode()
                upstream.reply(Reply(status=429, headers=headers, parts=[body]))
            case "cut":
                upstream.reply(Reply(headers=STREAM, parts=events()[:4], ending="cut"))
            case "hang":
                upstream.reply(Reply(ending="hang"))
        return self.request(stream=situation in {"stream", "cut"})


class TestBedrockByAccessKey(BedrockContract):
    def config(self) -> dict[str, object]:
        return {
            "region": "us-east-1",
            "base_url": "{upstream}",
            "access_key_id": "not-a-real-key-id",
            "secret_access_key": "not-a-real-secret-access-key",
            "session_token": "not-a-real-session-token",
        }


class TestBedrockByApiKey(BedrockContract):
    def config(self) -> dict[str, object]:
        return {"region": "us-east-1", "base_url": "{upstream}", "api_key": "not-a-real-key-but-long-enough"}
