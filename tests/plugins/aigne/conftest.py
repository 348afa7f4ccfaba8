"""A gateway with AIGNE's interfaces, and some who use it. One for a whole module: to start it takes time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct
from starlette.testclient import TestClient

from gateway import Gateway
from gateway.identity import Actor
from gateway.identity.people import Client, Proof
from gateway.sdk.signing import Signer
from gateway.store.components import NewComponent, create_component
from gateway.store.key_rows import KeySettings
from gateway.store.keys import create_key
from gateway.store.service_accounts import create_service_account
from gateway_aigne import Aigne

ACTOR = Actor(kind="command", id="test")


class Person(Struct, frozen=True):
    """Somebody who is signed in."""

    user: str
    cookies: Mapping[str, str]
    bearer: Mapping[str, str]


class Hub:
    """A gateway that runs, and its inhabitants."""

    def __init__(self, gateway: Gateway, client: TestClient) -> None:
        self.gateway = gateway
        self.client = client
        self.context = gateway.registry.plugins[0].context

    def run(self, work: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """Do something on the gateway's event loop."""
        assert self.client.portal is not None

        async def do() -> Any:
            return await work(*args, **named)

        return self.client.portal.call(do)

    def key(
        self, tenant: str = "acme", *, owner: str | None = None, scopes: tuple[str, ...] | None = None
    ) -> Mapping[str, str]:
        """The header with a new key."""
        _, key = self.run(
            create_key,
            self.context.database,
            "a key",
            tenant=tenant,
            owner=owner,
            settings=KeySettings(scopes=scopes),
            actor=ACTOR,
        )
        return {"authorization": f"Bearer {key}"}

    def service(self, tenant: str = "acme") -> Mapping[str, str]:
        """The header with the key of a service account."""
        database = self.context.database
        account = self.run(create_service_account, database, tenant, "robot", "member", actor=ACTOR)
        return self.key(tenant, owner=account.id)

    def component(self) -> Signer:
        """What signs requests of a new component of acme's."""
        key = Ed25519PrivateKey.generate()
        signer, new = Signer(key), NewComponent(tenant="acme", name="billing")
        public = key.public_key().public_bytes_raw()
        database = self.context.database
        self.run(create_component, database, new, "rfc9421", signer.key_id, public, actor=ACTOR)
        return signer

    def person(self, name: str) -> Person:
        """Somebody new who has signed in, as a member of acme."""
        proof = Proof(
            kind="did", subject=f"did:key:{name}", label=name, name=name, email=f"{name}@example.com"
        )
        found = self.run(self.context.sessions.sign_in, proof, method="did-key", client=Client())
        return Person(
            found.session.user,
            {"gateway_session": found.access},
            {"authorization": f"Bearer {found.access}"},
        )

    def post(self, path: str, body: Any, headers: Mapping[str, str], **named: Any) -> Any:
        """Post JSON."""
        return self.client.post(path, json=body, headers=dict(headers), **named)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Any:
        """Get something."""
        return self.client.get(path, headers=dict(headers or {}), follow_redirects=False)

    def settled(self, headers: Mapping[str, str]) -> list[dict[str, Any]]:
        """All calls of somebody, once they are settled: that may come a moment after the answer."""
        ends = time.monotonic() + 20
        while True:
            calls = self.get("/api/user/model-calls", headers).json()["list"]
            if all(call["status"] != "processing" for call in calls):
                return calls
            assert time.monotonic() < ends, "calls are settled"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Generator[Hub]:
    config: dict[str, Any] = {
        "gateway": {
            "database": f"sqlite:///{tmp_path_factory.mktemp('hub') / 'gateway.db'}",
            "failures_per_minute": 0,  # tests fail on purpose
            "identity": {"sign_up": "open", "sign_up_tenant": "acme", "sign_ins_per_minute": 30},
        },
        "auth": {"component": {"authorities": ["testserver"]}, "apikey": {}},
        "service": {"aigne": {}},
        "provider": {
            "mock": {"rules": [{"model": "busy", "status": 429, "retry_after": 7}]},
            "other": {"use": "mock"},
        },
        "models": {
            "safe": {"targets": ["mock:error", "other:echo"]},
            "cut": {"targets": ["mock:echo", "other:echo"]},
        },
    }
    gateway = Gateway.from_dict(config, plugins=[Aigne])
    with TestClient(gateway, raise_server_exceptions=False) as client:
        yield Hub(gateway, client)


@pytest.fixture
def recorded() -> Mapping[str, Any]:
    """Requests of @aigne/aigne-hub 0.10.16, by name."""
    path = Path(__file__).parent / "recorded.json"
    return {request["name"]: request for request in json.loads(path.read_text("utf-8"))}
