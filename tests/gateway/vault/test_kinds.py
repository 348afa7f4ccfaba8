"""Credentials of several parts: of AWS, Entra ID and Google, given by API, tried, sealed and used."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from httpx2 import Response
from starlette.testclient import TestClient

from gateway import Gateway
from gateway.store.tenants import create_tenant
from gateway.testing import replies
from gateway.testing.upstream import FakeUpstream, Reply
from gateway.vault.master import new_master_key

from ..admin.people import CONFIG, People, signed_in
from .conftest import ANN

JSON = {"content-type": "application/json"}
OPERATOR = signed_in()
ACME = signed_in("acme", "usr_bob")
SECRET = "not-a-real-secret-0123456789"
ACCESS_KEY = {
    "access_key_id": "AKIAFAKEFAKEFAKE1234",
    "secret_access_key": SECRET,
    "session_token": "not-a-real-token-of-a-session",
}
APPLICATION = {
    "tenant_id": "a-tenant.example",
    "client_id": "0f0f-not-real-client-id",
    "client_secret": SECRET,
}
VALID = Reply(
    status=400,
    headers={**JSON, "x-amzn-errortype": "ValidationException"},
    parts=[b'{"message": "no messages"}'],
)
CONVERSED = {
    "output": {"message": {"role": "assistant", "content": [{"text": "hi"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
}
GENERATED = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "hi"}]}, "finishReason": "STOP"}]
}
CHAT = Reply(headers=JSON, parts=[replies.completion("hi", "m")])


def said(value: Any, status: int = 200) -> Reply:
    return Reply(status=status, headers=JSON, parts=[json.dumps(value).encode()])


TOKEN = said({"access_token": "not-a-real-access-token", "expires_in": 3599})


class Served:
    """A gateway with a provider of each kind, all at one address."""

    def __init__(self, gateway: Gateway, client: TestClient, upstream: FakeUpstream, folder: Path) -> None:
        self.gateway = gateway
        self.client = client
        self.upstream = upstream
        self.folder = folder

    def reply(self, *some: Reply) -> None:
        self.upstream._replies.clear()
        self.upstream.requests.clear()
        self.upstream.reply(*some)

    def add(self, provider: str, fields: dict[str, Any], who: dict[str, str] = ACME, **more: Any) -> Response:
        path = "/gateway/credentials" if who is OPERATOR else "/credentials"
        body = {"provider": provider, "fields": fields, **more}
        answer: Any = self.client.post(f"/admin/api{path}", headers=who, json=body)
        for secret in (SECRET, "PRIVATE KEY", ACCESS_KEY["session_token"]):
            assert secret not in answer.text
        return answer

    def call(self, model: str, *answers: Reply, tenant: str = "acme") -> int:
        self.reply(*answers)
        body = {"model": model, "messages": [{"role": "user", "content": "x"}]}
        headers = signed_in(tenant, "usr_ann", "member")
        return self.client.post("/v1/chat/completions", headers=headers, json=body).status_code

    def remove(self, answer: Response) -> None:
        path = answer.headers["location"]
        assert self.client.delete(path, headers={**ACME, "if-match": "*"}).status_code == 204

    def seen(self) -> None:
        """Do now what happens by itself every 0.4 s."""
        assert self.client.portal is not None
        self.client.portal.call(self.gateway._context.changes.look)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder, upstream = tmp_path_factory.mktemp("kinds"), FakeUpstream()
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(upstream):
        there = {"base_url": upstream.url, "vault": True}
        gateway = Gateway.from_dict(
            {
                **CONFIG,
                "gateway": {
                    "database": f"sqlite:///{folder / 'gateway.db'}",
                    "vault": {"master_key": new_master_key()},
                    "egress": {"allow": ["127.0.0.1/32"]},
                },
                "provider": {
                    "bedrock": {**there, "region": "eu-central-1"},
                    "azure": {**there, "authority": upstream.url},
                    "vertex": {**there, "use": "gemini", "project": "p"},
                    "gemini": there,
                },
            },
            plugins=[People],
        )
        with TestClient(gateway, base_url="http://gateway") as client:
            assert client.portal is not None
            client.portal.call(lambda: create_tenant(gateway._context.database, "acme", actor=ANN))
            yield Served(gateway, client, upstream, folder)


def test_an_access_key_signs(served: Served):
    served.reply(VALID)
    made = served.add("bedrock", ACCESS_KEY)
    assert made.status_code == 201, made.text
    assert [made.json()[name] for name in ("kind", "hint", "state")] == ["access_key", "AKI…1234", "working"]
    served.seen()
    assert served.call("bedrock/amazon.nova-micro-v1:0", said(CONVERSED)) == 200
    (request,) = served.upstream.requests
    assert request.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIAFAKEFAKEFAKE1234/")
    assert request.headers["x-amz-security-token"] == ACCESS_KEY["session_token"]
    without = {name: ACCESS_KEY[name] for name in ("access_key_id", "secret_access_key")}
    served.reply(VALID)
    path = made.headers["location"]
    headers = {**ACME, "if-match": made.headers["etag"]}
    changed = served.client.patch(path, headers=headers, json={"fields": without})
    assert changed.status_code == 200, changed.text
    served.seen()
    assert served.call("bedrock/amazon.nova-micro-v1:0", said(CONVERSED)) == 200
    assert "x-amz-security-token" not in served.upstream.requests[0].headers
    served.remove(made)


def test_an_application_gets_tokens_and_one_without_is_passed_over(served: Served):
    served.reply(TOKEN, said({"data": []}))
    made = served.add("azure", APPLICATION)
    assert made.status_code == 201, made.text
    assert (made.json()["kind"], made.json()["hint"]) == ("application", "0f0…t-id")
    assert served.upstream.requests[0].path == "/a-tenant.example/oauth2/v2.0/token"
    served.seen()
    assert served.call("azure/gpt-4o", TOKEN, CHAT) == 200
    assert served.upstream.requests[-1].headers["authorization"] == "Bearer not-a-real-access-token"
    # The secret of the second has been revoked; the first is used for every call.
    second = served.add("azure", {**APPLICATION, "client_secret": f"{SECRET}-2"}, check=False, weight=5)
    served.seen()
    refused = said({"error": "invalid_client", "error_description": f"{SECRET}-2 is wrong"}, 401)
    assert served.call("azure/gpt-4o", refused, CHAT) == 200
    assert [request.path.partition("?")[0] for request in served.upstream.requests] == [
        "/a-tenant.example/oauth2/v2.0/token",
        "/openai/v1/chat/completions",
    ]
    shown: dict[str, Any] = {}
    deadline = time.monotonic() + 20
    while shown.get("state") != "failing" and time.monotonic() < deadline:
        shown = served.client.get(second.headers["location"], headers=ACME).json()
    assert "invalid_client" in shown["last_error"]
    assert SECRET not in json.dumps(shown)
    served.remove(made)
    served.remove(second)


def service_account(token_uri: str) -> dict[str, str]:
    key = rsa.generate_private_key(65_537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "client_email": "robot@example.com",
        "private_key_id": "0123456789abcdef0123456789abcdef",
        "private_key": key.decode(),
        "token_uri": token_uri,
    }


def test_a_service_account_gets_tokens(served: Served):
    served.reply(TOKEN)
    account = service_account(f"{served.upstream.url}/token")
    made = served.add("vertex", {"service_account": account})
    assert made.status_code == 201, made.text
    assert (made.json()["kind"], made.json()["hint"]) == ("service_account", "012…cdef")
    served.seen()
    assert served.call("vertex/gemini-2.5-flash", TOKEN, said(GENERATED)) == 200
    assert served.upstream.requests[-1].headers["authorization"] == "Bearer not-a-real-access-token"
    assert "x-goog-api-key" not in served.upstream.requests[-1].headers
    # The same provider takes keys as well, each sent in its own way.
    served.remove(made)
    key = served.add("vertex", {"api_key": SECRET})
    served.seen()
    assert served.call("vertex/gemini-2.5-flash", said(GENERATED)) == 200
    assert served.upstream.requests[-1].headers["x-goog-api-key"] == SECRET
    assert "authorization" not in served.upstream.requests[-1].headers
    served.remove(key)


def test_a_tenants_account_reaches_no_address_inside(served: Served):
    served.reply(TOKEN)
    answer = served.add("vertex", {"service_account": service_account("http://10.0.0.1/token")})
    assert answer.status_code == 422
    assert answer.json()["code"] == "credential_refused"
    assert served.upstream.requests == []


@pytest.mark.parametrize(
    ("provider", "fields", "words"),
    [
        ("bedrock", {"access_key_id": "AKIAFAKEFAKEFAKE1234"}, "access_key_id with secret_access_key"),
        ("bedrock", {**ACCESS_KEY, "region": "x"}, "(and session_token)"),
        ("azure", {**APPLICATION, "tenant_id": "../.."}, "tenant_id: must be"),
        ("vertex", {"service_account": {"private_key": "x"}}, "must be the JSON key of a service account"),
        ("vertex", {"service_account": {"private_key": "x", "client_email": "y"}}, "no RSA key"),
        ("gemini", {"access_token": "x"}, "takes api_key. Given: access_token"),
    ],
)
def test_what_is_none_is_refused_before_any_call(
    served: Served, provider: str, fields: dict[str, Any], words: str
):
    served.reply(TOKEN)
    answer = served.add(provider, fields, check=False)
    assert answer.status_code == 400, answer.text
    assert words in answer.json()["detail"]
    assert served.upstream.requests == []


def test_it_is_either_a_secret_or_fields(served: Served):
    for more in ({}, {"secret": "sk-fake", "fields": {"api_key": "sk-fake"}}):
        body = {"provider": "bedrock", "check": False, **more}
        answer = served.client.post("/admin/api/credentials", headers=ACME, json=body)
        assert answer.status_code == 422
        assert "either" in answer.json()["detail"]


def test_providers_tell_what_they_take(served: Served):
    found = served.client.get("/admin/api/providers", headers=ACME).json()["data"]
    kinds = {one["name"]: {kind["name"]: kind["fields"] for kind in one["credential_kinds"]} for one in found}
    assert [*kinds["bedrock"]] == ["api_key", "access_key"]
    told = [(part["name"], part["required"], part["secret"]) for part in kinds["bedrock"]["access_key"]]
    assert told == [
        ("access_key_id", True, False),
        ("secret_access_key", True, True),
        ("session_token", False, True),
    ]
    assert all(part["description"] for fields in kinds["bedrock"].values() for part in fields)
    assert [*kinds["vertex"]] == ["api_key", "service_account", "access_token"]
    assert [*kinds["gemini"]] == ["api_key"]


def test_nothing_of_them_is_in_the_database_in_plain_text(served: Served):
    for provider, fields in (("bedrock", ACCESS_KEY), ("azure", APPLICATION)):
        served.remove(served.add(provider, fields, check=False))
    with closing(sqlite3.connect(served.folder / "gateway.db")) as connection:
        dump = "\n".join(connection.iterdump())
    parts = [*ACCESS_KEY.values(), *APPLICATION.values()]
    assert [part for part in parts if re.search(re.escape(part), dump)] == []
