"""Paths of a provider that make calls."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.testing import replies
from gateway.testing.upstream import Reply

JSON = {"content-type": "application/json"}
SECRET = "sk-not-a-real-key-but-long-enough"
CHAT: dict[str, Any] = {"model": "gpt", "messages": [{"role": "user", "content": "Hello?"}]}


@pytest.mark.parametrize("path", ["/provider/acme/v1/chat/completions", "/provider/acme/chat/completions"])
async def test_a_call_is_metered_by_its_dialect(serve: Any, path: str) -> None:
    answer = replies.completion("Hi", "gpt").replace(b'{"id"', b'{"new_field": [1], "id"', 1)
    async with serve(Reply(headers=JSON, parts=[answer])) as served:
        response = await served.http.post(path, json=CHAT)
        assert (response.status_code, response.content) == (200, answer)
        (sent,) = served.upstream.requests
        assert (sent.method, sent.path, json.loads(sent.body)) == ("POST", "/v1/chat/completions", CHAT)
        assert sent.headers["authorization"] == f"Bearer {SECRET}"
        call, outcome = served.watch.ended[0]
        assert (call.capability, call.model, outcome.provider, outcome.status) == (
            "chat",
            "gpt",
            "acme",
            "success",
        )
        assert outcome.usage is not None
        assert outcome.usage.prompt_tokens
        assert not outcome.usage.estimated


async def test_a_streamed_call(serve: Any) -> None:
    events = [*replies.completion_events("Hi there", "gpt")]
    async with serve(Reply(headers={"content-type": "text/event-stream"}, parts=events)) as served:
        response = await served.http.post("/provider/acme/v1/chat/completions", json={**CHAT, "stream": True})
        assert response.status_code == 200
        assert response.text.endswith("data: [DONE]\n\n")
        assert served.watch.ended[0][1].usage.completion_tokens


async def test_the_keys_models_count(serve: Any) -> None:
    async with serve(
        Reply(headers=JSON, parts=[replies.completion("Hi", "gpt")]), passthrough=("/jobs",)
    ) as served:
        served.http.headers["authorization"] = "Bearer gw_one"
        path = "/provider/acme/v1/chat/completions"
        assert (await served.http.post(path, json=CHAT)).status_code == 200
        refused = await served.http.post(path, json={**CHAT, "model": "other"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "model_not_allowed")
        assert (await served.http.post("/provider/acme/jobs", json={"model": "gpt"})).status_code == 200
        refused = await served.http.post("/provider/acme/jobs", json={"model": "other"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "model_not_allowed")
        form = {"model": (None, "other")}
        assert (await served.http.post("/provider/acme/jobs", files=form)).status_code == 403
        assert (await served.http.get("/provider/acme/jobs")).status_code == 200
        assert len(served.upstream.requests) == 3
