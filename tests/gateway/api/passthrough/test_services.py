"""Each service has manners of its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.testing import anthropic_replies, replies
from gateway.testing.upstream import Reply

JSON = {"content-type": "application/json"}
SECRET = "sk-not-a-real-key-but-long-enough"
CHAT: dict[str, Any] = {"model": "gpt", "messages": [{"role": "user", "content": "Hello?"}]}


async def test_anthropic(serve: Any) -> None:
    answer = anthropic_replies.message("Hi", "claude")
    async with serve(
        Reply(headers=JSON, parts=[answer]),
        use="anthropic",
        path="",
        passthrough=("/v1/files", "/v1/files/*"),
    ) as served:
        body = {"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello?"}]}
        response = await served.http.post("/provider/acme/v1/messages", json=body)
        assert response.content == answer
        assert served.watch.last()[:4] == ("chat", "claude", "acme", "success")
        await served.http.get("/provider/acme/v1/files", headers={"anthropic-beta": "files-1"})
        own = served.upstream.requests[-1]
        assert (own.path, own.headers["x-api-key"]) == ("/v1/files", SECRET)
        assert (own.headers["anthropic-beta"], own.headers["anthropic-version"]) == ("files-1", "2023-06-01")
        assert "authorization" not in own.headers
        refused = await served.http.get("/provider/acme/v1/nothing")
        assert refused.json()["type"] == "error", "Anthropic's clients get its errors"


async def test_imagen_as_googles_clients_ask_for_it(serve: Any) -> None:
    picture = {"bytesBase64Encoded": "iVBORw0KGgo=", "mimeType": "image/png"}
    answer = json.dumps({"predictions": [picture, picture, {"raiFilteredReason": "No."}], "more": 1}).encode()
    body = {"instances": [{"prompt": "A fox"}], "parameters": {"sampleCount": 3, "seed": 7}}
    async with serve(Reply(headers=JSON, parts=[answer]), use="gemini", path="/v1beta") as served:
        path = "/provider/acme/v1beta/models/imagen-4.0-generate-001:predict"
        response = await served.http.post(path, json=body)
        assert response.content == answer
        assert json.loads(served.upstream.requests[0].body) == body
        assert served.watch.last()[:4] == ("image", "imagen-4.0-generate-001", "acme", "success")
        _, outcome = served.watch.ended[-1]
        assert outcome.usage.images == 2
        empty = await served.http.post(path, json={"instances": [{}]})
        assert (empty.status_code, empty.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
        other = await served.http.post("/provider/acme/v1beta/models/gecko:predict", json=body)
        assert (other.status_code, len(served.upstream.requests)) == (403, 1)


async def test_gemini_and_a_key_in_the_query(serve: Any) -> None:
    answer = {
        "candidates": [
            {"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP", "index": 0}
        ],
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 1, "totalTokenCount": 4},
    }
    async with serve(
        Reply(headers=JSON, parts=[json.dumps(answer).encode()]),
        use="gemini",
        path="/v1beta",
        passthrough=("/files",),
    ) as served:
        del served.http.headers["authorization"]
        body = {"contents": [{"role": "user", "parts": [{"text": "Hello?"}]}]}
        path = "/provider/acme/v1beta/models/gemini-x:generateContent?key=gw_all"
        response = await served.http.post(path, json=body)
        assert response.json() == answer
        assert served.watch.last()[:4] == ("chat", "gemini-x", "acme", "success")
        await served.http.get("/provider/acme/v1beta/files?pageSize=2&key=gw_all")
        for sent in served.upstream.requests:
            assert "gw_all" not in sent.path
            assert sent.headers["x-goog-api-key"] == SECRET
        assert served.upstream.requests[1].path == "/v1beta/files?pageSize=2"


async def test_gemini_in_another_version_than_that_of_the_base_url(serve: Any) -> None:
    async with serve(
        Reply(headers=JSON, parts=[b"{}"]),
        use="gemini",
        path="/v1beta",
        passthrough=("GET /files/*", "/v1/tunedModels"),
    ) as served:
        for path, sent in (
            ("/v1/files/a?b=1", "/v1/files/a?b=1"),
            ("/v1alpha/files/a", "/v1alpha/files/a"),
            ("/v1beta/files/a", "/v1beta/files/a"),
            ("/files/a", "/v1beta/files/a"),
            ("/v1/tunedModels", "/v1/tunedModels"),
        ):
            assert (await served.http.get(f"/provider/acme{path}")).status_code == 200, path
            assert served.upstream.requests[-1].path == sent
        count = len(served.upstream.requests)
        for path in ("/v1beta/tunedModels", "/v2/files/a", "/upload/v1beta/files/a", "/v1/v1/files/a"):
            assert (await served.http.get(f"/provider/acme{path}")).status_code == 403, path
        assert len(served.upstream.requests) == count


async def test_azure_with_a_deployment_in_the_path(serve: Any) -> None:
    async with serve(
        Reply(headers=JSON, parts=[replies.completion("Hi", "gpt")]),
        use="azure",
        path="",
        passthrough=("/files",),
    ) as served:
        path = "/provider/acme/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21"
        asked = {"messages": CHAT["messages"]}
        assert (await served.http.post(path, json=asked)).status_code == 200
        sent = served.upstream.requests[0]
        assert (sent.path, json.loads(sent.body)["model"]) == ("/openai/v1/chat/completions", "my-gpt")
        assert served.watch.last()[:3] == ("chat", "my-gpt", "acme")
        await served.http.get("/provider/acme/openai/v1/files")
        assert served.upstream.requests[1].path == "/openai/v1/files"
        assert served.upstream.requests[1].headers["api-key"] == SECRET


async def test_bedrock_signs_what_it_hands_on(serve: Any) -> None:
    credentials = {
        "api_key": None,
        "region": "eu-central-1",
        "access_key_id": "AKIANOTAREALKEY",
        "secret_access_key": "not-a-real-secret",
    }
    async with serve(
        Reply(headers=JSON, parts=[b"{}"]),
        use="bedrock",
        path="",
        passthrough=("/guardrail/*", "/model/*"),
        **credentials,
    ) as served:
        response = await served.http.post("/provider/acme/guardrail/g/apply?b=2&a", json={"x": 1})
        assert response.status_code == 200
        sent = served.upstream.requests[0]
        assert sent.path == "/guardrail/g/apply?b=2&a"
        assert sent.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIANOTAREALKEY/")
        served.http.headers["authorization"] = "Bearer gw_one"
        refused = await served.http.post("/provider/acme/model/nova/count-tokens", json={})
        assert refused.status_code == 403


@pytest.mark.parametrize("use", ["cohere", "ollama"])
async def test_others_hand_on_too(serve: Any, use: str) -> None:
    async with serve(
        Reply(headers=JSON, parts=[b"[1]"]), use=use, path="", passthrough=("GET /x",)
    ) as served:
        assert (await served.http.get("/provider/acme/x")).json() == [1]
        assert served.upstream.requests[0].headers["authorization"] == f"Bearer {SECRET}"


async def test_rerank_of_cohere_is_a_call(serve: Any) -> None:
    answer = b'{"id":"r","results":[{"index":0,"relevance_score":0.9}],"meta":{}}'
    async with serve(Reply(headers=JSON, parts=[answer]), use="cohere", path="") as served:
        body = {"model": "rerank", "query": "q", "documents": ["a"]}
        response = await served.http.post("/provider/acme/v2/rerank", json=body)
        assert response.content == answer
        assert served.watch.last()[:3] == ("rerank", "rerank", "acme")
