from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.testing import anthropic_replies as replies
from gateway.testing.contracts import ProviderContract
from gateway.testing.contracts.plugin import secrets_of
from gateway.testing.contracts.provider import MODEL, TEXT, Situation
from gateway.testing.upstream import FakeUpstream, Reply
from gateway_anthropic import Anthropic


class TestAnthropic(ProviderContract):
    """Asked by OpenAI's clients, so that everything is translated."""

    plugin = Anthropic

    def config(self) -> dict[str, object]:
        return {"base_url": "{upstream}", "api_key": "not-a-real-key-but-long-enough"}

    def arrange(self, situation: Situation, upstream: FakeUpstream) -> Mapping[str, Any] | None:
        events = tuple(replies.message_events(TEXT, MODEL))
        event_stream = {"content-type": "text/event-stream; charset=utf-8"}
        json_body = {"content-type": "application/json", "set-cookie": "session=upstream"}
        match situation:
            case "answer":
                upstream.reply(Reply(headers=json_body, parts=[replies.message(TEXT, MODEL)]))
            case "stream":
                upstream.reply(Reply(headers=event_stream, parts=events))
            case "refusal":
                body = replies.refusal(f"Too many requests for {', '.join(secrets_of(self.validated()))}.")
                upstream.reply(Reply(status=429, headers={**json_body, "retry-after": "2"}, parts=[body]))
            case "cut":
                upstream.reply(Reply(headers=event_stream, parts=events[:5], ending="cut"))
            case "hang":
                upstream.reply(Reply(ending="hang"))
        return self.request(stream=situation in {"stream", "cut"})


class TestAnthropicPassedThrough(TestAnthropic):
    """Asked by Anthropic's own clients, with several keys."""

    dialect = "anthropic.messages"

    def config(self) -> dict[str, object]:
        return {"base_url": "{upstream}", "api_keys": ["not-a-real-key-one", "not-a-real-key-two"]}

    def request(self, text: str = "Hello?", *, model: str = MODEL, stream: bool = False) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": model,
            "max_tokens": 100,
            "messages": [{"role": "user", "content": text}],
        }
        return {**body, "stream": True} if stream else body
