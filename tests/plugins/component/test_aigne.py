"""The signatures of AIGNE's blocklets and remote apps, made here independently."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.errors import AuthenticationFailed
from gateway.plugin import Context
from gateway.sdk.did_abt import APPLICATION, abt_did
from gateway.store.components import NewComponent, Scheme, create_component
from gateway_component import Component
from gateway_component.aigne import stable_json

from .conftest import ACTOR, Request, running

TARGET = "/api/v1/chat/completions?b=2&a=1&a=3"
BODY = {"model": "m", "temperature": 0.5, "b": [1, 2.0, None, True], "ü": "\u2028/é"}
RAW = json.dumps(BODY).encode()


def compact(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sign(key: Ed25519PrivateKey, value: object) -> str:
    return "0x" + key.sign(hashlib.sha3_256(compact(value).encode()).digest()).hex()


class App:
    def __init__(self, plugin: Component) -> None:
        self.plugin = plugin
        self.key = Ed25519PrivateKey.generate()
        self.id = abt_did(self.key.public_key().public_bytes_raw(), APPLICATION)

    async def register(self, context: Context, scheme: Scheme) -> None:
        public_key = self.key.public_key().public_bytes_raw()
        new = NewComponent(tenant="acme", name=scheme)
        await create_component(context.database, new, scheme, self.id, public_key, actor=ACTOR)
        await context.changes.look()

    def same_app(self, *, family: str = "x-component-", issued: int | None = None) -> dict[str, str]:
        now = int(time.time()) if issued is None else issued
        signed = {
            "iat": now,
            "exp": now + 300,
            "body": {**BODY, "b": [1, 2, None, True]},
            "query": {"b": "2", "a": ["1", "3"]},
            "method": "post",
            "url": "/api/v1/chat/completions",
        }
        return {
            f"{family}did": "zNKb",
            f"{family}sig": sign(self.key, signed),
            f"{family}sig-iat": str(now),
            f"{family}sig-exp": str(now + 300),
            f"{family}sig-version": "1.1.0",
        }

    def remote(self, *, at: int | None = None, user: str = "z1ann") -> dict[str, str]:
        now = int(time.time()) if at is None else at
        data = {**BODY, "b": [1, 2, None, True]}
        signed = {"appId": self.id, "timestamp": now, "data": data, "userDid": user}
        return {
            "x-app-id": self.id,
            "x-timestamp": str(now),
            "x-component-sig": sign(self.key, signed),
            "x-app-user-did": user,
        }

    async def ask(self, headers: dict[str, str], **how: Any) -> Any:
        usual: dict[str, Any] = {"target": TARGET, "body": RAW}
        return await self.plugin.authenticate(Request(headers, **usual | how))


@pytest.fixture
async def app(context: Context) -> AsyncGenerator[App]:
    async with running(context, aigne_compat=True) as plugin:
        yield App(plugin)


@pytest.mark.parametrize("family", ["x-component-", "x-blocklet-"])
async def test_a_blocklet(app: App, context: Context, family: str):
    await app.register(context, "aigne-app")
    headers = app.same_app(family=family)
    principal = await app.ask(headers)
    assert principal.tenant == "acme"
    with pytest.raises(AuthenticationFailed, match="used before"):
        await app.ask(headers)


async def test_a_remote_app(app: App, context: Context):
    await app.register(context, "aigne-remote")
    headers = app.remote()
    assert (await app.ask(headers)).user == "z1ann"
    with pytest.raises(AuthenticationFailed, match="used before"):
        await app.ask(headers, target="/api/v1/embeddings")  # which the signature does not cover


@pytest.mark.parametrize(
    "how", [{"body": b"{}"}, {"method": "PUT"}, {"target": "/api/v1/embeddings"}, {"body": b"not json"}]
)
async def test_a_changed_request_of_a_blocklet_is_refused(app: App, context: Context, how: dict[str, Any]):
    await app.register(context, "aigne-app")
    with pytest.raises(AuthenticationFailed, match="refused"):
        await app.ask(app.same_app(), **how)


@pytest.mark.parametrize("seconds", [-3600, 3600])
async def test_a_signature_of_another_time_is_refused(app: App, context: Context, seconds: int):
    at = int(time.time()) + seconds
    await app.register(context, "aigne-app")
    await app.register(context, "aigne-remote")
    for headers in (app.same_app(issued=at), app.remote(at=at)):
        with pytest.raises(AuthenticationFailed, match="clock"):
            await app.ask(headers)


async def test_who_is_not_registered_is_refused(app: App):
    for headers in (app.same_app(), app.remote()):
        with pytest.raises(AuthenticationFailed, match="registered"):
            await app.ask(headers)


async def test_another_user_is_refused(app: App, context: Context):
    await app.register(context, "aigne-remote")
    with pytest.raises(AuthenticationFailed):
        await app.ask({**app.remote(), "x-app-user-did": "z1eve"})


async def test_it_is_off_unless_wanted(context: Context, app: App):
    await app.register(context, "aigne-app")
    async with running(context) as plugin:
        assert await plugin.authenticate(Request(app.same_app(), target=TARGET, body=RAW)) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (-0.0, "0"),
        (1e21, "1e+21"),
        (1e20, "100000000000000000000"),
        (12345678901234567890, "12345678901234567000"),
        (0.00001, "0.00001"),
        (1.5e-6, "0.0000015"),
        (1e-7, "1e-7"),
        (1.25e-9, "1.25e-9"),
        (10**400, "null"),
        ({"b": 1, "a": [True, None, "\u0007"]}, '{"a":[true,null,"\\u0007"],"b":1}'),
        ({"\U0001f642": 1, "\uffee": 2}, '{"\U0001f642":1,"\uffee":2}'),
    ],
)
def test_numbers_and_names_are_written_as_javascript_writes_them(value: Any, text: str):
    assert stable_json(value) == text
