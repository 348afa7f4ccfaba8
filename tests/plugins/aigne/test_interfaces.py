"""Who may use what, what callers are told of models and of their calls, and what the hub once did wrong."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import time
from decimal import Decimal
from typing import Any

import pytest
from starlette.types import Message

from gateway.store.tenant_calls import CallFilter, list_tenant_calls
from gateway.types import ModelInfo, Principal
from gateway_aigne.models import Models

from .conftest import Hub

HELLO: dict[str, Any] = {"role": "user", "content": "Hello"}
EVENTS = {"accept": "text/event-stream"}


def chat(model: str, words: str = "Hello", *, streaming: bool = False) -> dict[str, Any]:
    messages = [{"role": "user", "content": words}]
    return {
        "input": {"messages": messages, "modelOptions": {"model": model}},
        "options": {"streaming": streaming},
    }


def calls_of(hub: Hub, tenant: str) -> list[Any]:
    """The calls, once none of them is open: an answer may be there a moment before its settlement."""
    ends = time.monotonic() + 30
    while True:
        found = list(hub.run(list_tenant_calls, hub.context.database, tenant, CallFilter(), limit=100))
        if all(call.status != "processing" for call in found) or time.monotonic() > ends:
            return found
        time.sleep(0.01)


# ------------------------------------------------------------------------------------------------------ who may come in


def test_components_use_v1_with_what_they_have_signed(hub: Hub) -> None:
    component = hub.component()
    path = "/api/v1/chat/completions"
    content = json.dumps({"model": "mock/echo", "messages": [HELLO], "maxTokens": 5}).encode()

    def signed() -> dict[str, str]:
        sent = {"content-type": "application/json"}
        return component.headers("POST", f"http://testserver{path}", content, sent)

    ends = time.monotonic() + 20
    while hub.client.post(path, content=content, headers=signed()).status_code == 401:
        assert time.monotonic() < ends, "workers learn of a new component"
    headers = signed()
    answer = hub.client.post(path, content=content, headers=headers)
    assert (answer.status_code, answer.json()["object"]) == (200, "chat.completion")
    assert hub.client.post(path, content=content, headers=headers).status_code == 401, "a nonce is good once"
    other = content.replace(b"Hello", b"Howdy")
    assert hub.client.post(path, content=other, headers=signed()).status_code == 401


def test_service_accounts_use_v1(hub: Hub) -> None:
    key, body = hub.service(), {"model": "mock/echo", "messages": [HELLO]}
    for path in ("/api/v1/chat/completions", "/api/v1/sdk/chat/completions"):
        assert hub.post(path, body, key).status_code == 200
    assert hub.get("/api/v1/status", key).json() == {"available": True}


def test_people_do_not_use_v1_and_nobody_comes_without_a_key(hub: Hub) -> None:
    body = {"model": "mock/echo", "messages": [HELLO]}
    person = hub.person("paul")
    for headers in (person.bearer, hub.key(owner=person.user), hub.key()):
        refused = hub.post("/api/v1/chat/completions", body, headers)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "permission_denied")
        assert hub.post("/api/v2/chat/completions", body, headers).status_code == 200
    assert hub.post("/api/v2/chat", chat("mock/echo"), {}).status_code == 401
    assert hub.get("/api/user/info").status_code == 401


# --------------------------------------------------------------------------------------------------------------- models


def test_models_are_listed_for_everybody(hub: Hub) -> None:
    listed = hub.get("/api/ai-providers/models").json()
    assert listed == hub.get("/api/ai/models").json()
    mock = next(model for model in listed if model["key"] == "mock/echo")
    assert (mock["model"], mock["provider"], mock["status"]) == ("echo", "mock", {"available": True})
    assert {model["key"] for model in hub.get("/api/ai/models?type=chat").json()} >= {"mock/echo", "safe"}
    assert hub.get("/api/ai/models?type=video").json() == []


class Known:
    """Knows two models."""

    def models(self, principal: Principal) -> list[ModelInfo]:
        del principal
        pricing = {"currency": "USD", "input": 0.05, "output": 0.4}
        return [
            ModelInfo(id="a/gpt", owned_by="a", kind="chat", context_window=400, pricing=pricing),
            ModelInfo(id="b/gpt", owned_by="b", kind="chat"),
        ]


async def test_rates_are_exact_and_an_unknown_one_is_not_nothing() -> None:
    known: Any = Known()
    models = Models(known, "default")
    request: Any = type("R", (), {"query_params": {"type": "chatCompletion"}})()
    first, second = json.loads(bytes((await models.listed(request)).body))
    assert Decimal(first["input_credits_per_token"]) == Decimal("0.00000005")
    assert first["modelMetadata"] == {"maxTokens": 400, "features": []}
    assert second["output_credits_per_token"] == "unknown"
    visit: Any = type("V", (), {"principal": Principal(tenant="t", authenticator="a")})()
    (grouped,) = json.loads(bytes((await models.chat(visit, request)).body))
    assert (grouped["model"], grouped["providers"]) == ("gpt", ["a", "b"])
    assert [rate["key"] for rate in grouped["rates"]] == ["a/gpt", "b/gpt"]


def test_status_is_that_of_the_model_at_its_provider(hub: Hub) -> None:
    key = hub.key()
    assert hub.get("/api/v2/status?model=mock/echo", key).json() == {"available": True}
    answer = hub.get("/api/v2/status?model=nobody/echo", key)
    assert (answer.status_code, answer.json()["available"], answer.json()["code"]) == (200, False, 404)


# -------------------------------------------------------------------------------------------------------------- account


def test_callers_learn_who_they_are(hub: Hub) -> None:
    ann = hub.person("ann")
    info = hub.get("/api/user/info", ann.bearer).json()
    assert info["user"] == {
        "did": "did:key:ann",
        "fullName": "ann",
        "email": "ann@example.com",
        "avatar": "",
    }
    assert info["enableCredit"] is False
    assert hub.get("/api/user/info", hub.key(owner=ann.user)).json() == info
    assert hub.get("/api/user/info", hub.key()).json()["user"]["fullName"] == "a key"


def test_people_see_their_own_calls(hub: Hub) -> None:
    ann, bob = hub.person("ann2"), hub.person("bob2")
    for who, words in ((ann, "one"), (ann, "two"), (bob, "three")):
        assert hub.post("/api/v2/chat", chat("mock/echo", words), who.bearer).status_code == 200
    hub.post("/api/v2/chat", chat("mock/error"), ann.bearer)
    hub.settled(ann.bearer)
    seen = hub.get("/api/user/model-calls?page=1&pageSize=2", ann.bearer).json()
    assert (seen["count"], len(seen["list"]), seen["paging"]) == (3, 2, {"page": 1, "pageSize": 2})
    assert {call["userDid"] for call in seen["list"]} == {ann.user}
    failed = hub.get("/api/user/model-calls?status=failed", ann.bearer).json()
    assert [(call["model"], call["status"]) for call in failed["list"]] == [("error", "failed")]
    second = hub.get("/api/user/model-calls?page=2&pageSize=2", ann.bearer).json()
    assert len(second["list"]) == 1
    assert not {call["id"] for call in second["list"]} & {call["id"] for call in seen["list"]}


def test_everybodys_calls_take_a_permission_whatever_the_role(hub: Hub) -> None:
    """The hub let sessions without any role through."""
    reader = hub.key("readers", scopes=("calls.make", "calls.read"))
    mine, other = hub.key("readers"), hub.key("strangers")
    for key in (mine, other):
        hub.post("/api/v2/chat", chat("mock/echo"), key)
    for path in ("/api/user/model-calls", "/api/user/model-calls/export"):
        assert hub.get(f"{path}?allUsers=true", mine).status_code == 403
        assert hub.get(f"{path}?allUsers=true", reader).status_code == 200
    everybody = hub.get("/api/user/model-calls?allUsers=true", reader).json()
    assert everybody["count"] == 1, "those of another tenant are not among them"
    assert hub.get("/api/user/model-calls", reader).json()["count"] == 0


@pytest.mark.parametrize(
    "query", ["page=0", "pageSize=x", "page=9999&pageSize=100", "status=odd", "startTime=-1"]
)
def test_a_query_that_cannot_be_is_refused(hub: Hub, query: str) -> None:
    answer = hub.get(f"/api/user/model-calls?{query}", hub.key())
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, query.partition("=")[0])


def test_an_export_is_no_formula(hub: Hub) -> None:
    key = hub.key("exporters")
    hub.post("/api/v2/chat", chat('mock/=HYPERLINK("https://example.com")'), key)
    hub.settled(key)
    answer = hub.get("/api/user/model-calls/export", key)
    assert answer.headers["content-disposition"].startswith("attachment")
    head, row = csv.reader(io.StringIO(answer.text))
    assert dict(zip(head, row, strict=True))["model"] == '\'=HYPERLINK("https://example.com")'


# ------------------------------------------------------------------------------------------- what the hub once did wrong


def test_a_failed_chat_is_in_the_ledger_and_another_provider_is_tried(hub: Hub) -> None:
    key = hub.key("fallback")
    assert hub.post("/api/v2/chat", chat("safe"), key).json()["text"] == "Hello"
    assert hub.post("/api/v2/chat", chat("mock/error"), key).status_code == 500
    failed, mended = calls_of(hub, "fallback")
    assert (failed.status, failed.provider) == ("failed", "mock")
    assert (mended.status, mended.provider, mended.attempts) == ("success", "other", 2)


def test_a_providers_status_reaches_the_client(hub: Hub) -> None:
    for path, body in (
        ("/api/v2/chat", chat("mock/busy")),
        ("/api/v2/chat/completions", {"model": "mock/busy", "messages": [HELLO]}),
    ):
        answer = hub.post(path, body, hub.key())
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")


def test_no_other_provider_is_asked_once_something_was_sent(hub: Hub) -> None:
    key = hub.key("cut")
    answer = hub.post("/api/v2/chat", chat("cut", "@chunks=9 @cut=4", streaming=True), key)
    last = answer.text.strip().split("\n\n")[-1]
    assert last.startswith("event: error\ndata: ")
    assert json.loads(last.partition("data: ")[2])["message"]
    (call,) = calls_of(hub, "cut")
    assert (call.status, call.attempts) == ("failed", 1)


def test_a_bad_request_is_put_to_nobody_twice(hub: Hub) -> None:
    key = hub.key("bad")
    answer = hub.post("/api/v2/chat", chat("cut", "@status=400"), key)
    assert answer.status_code == 400
    (call,) = calls_of(hub, "bad")
    assert call.attempts == 1


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/v2/chat", chat("no/such", streaming=True), 404),
        ("/api/v2/chat", {"input": {"messages": [{"role": "wizard"}], "modelOptions": {"model": "m"}}}, 400),
        ("/api/v2/chat/completions", {"model": "no/such", "messages": [HELLO], "stream": True}, 404),
        ("/api/v2/chat/completions", {"messages": [HELLO]}, 400),
    ],
)
def test_what_fails_before_a_stream_has_a_status_of_its_own(
    hub: Hub, path: str, body: dict[str, Any], status: int
) -> None:
    answer = hub.post(path, body, {**hub.key(), **EVENTS})
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_large_files_in_base64_are_taken(hub: Hub) -> None:
    body = chat("mock/echo")
    file = {"type": "file", "mimeType": "image/png", "data": "A" * 8_000_000}
    body["input"]["messages"][0]["content"] = [{"type": "text", "text": "See"}, file]
    assert hub.post("/api/v2/chat", body, hub.key()).json()["text"] == "See"


def test_a_client_that_goes_away_ends_its_call(hub: Hub) -> None:
    key = hub.key("leavers")

    async def leave() -> None:
        content = json.dumps(chat("mock/echo", "@chunks=1000 @gap=20", streaming=True)).encode()
        requests: asyncio.Queue[Message] = asyncio.Queue()
        requests.put_nowait({"type": "http.request", "body": content})

        async def send(message: Message) -> None:
            if message["type"] == "http.response.body" and message.get("body"):
                requests.put_nowait({"type": "http.disconnect"})

        headers = [(b"authorization", key["authorization"].encode())]
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/api/v2/chat",
            "query_string": b"",
            "headers": headers,
        }
        async with asyncio.timeout(30):
            await hub.gateway(scope, requests.get, send)

    hub.run(leave)
    (call,) = calls_of(hub, "leavers")
    assert call.status == "cancelled"
    assert call.completion_tokens is not None
