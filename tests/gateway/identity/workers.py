"""Sessions as a worker of the gateway has them, and requests as authenticators see them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.identity.people import Client, Proof, Rules, SignedIn
from gateway.identity.sessions import Sessions
from gateway.store import Database
from gateway.store.audit import Actor
from gateway.store.changes import Changes
from gateway.types import Principal

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what hardly depends on the database: setting one up takes longer than most tests."""

BROWSER = Client(address="192.0.2.7", agent="Browser/1")
ADMIN = Actor(kind="command", id="root")
ANN = Proof(kind="did", subject="did:key:zAnn", label="zAnn", name="Ann")
BOB = Proof(
    kind="oidc",
    subject="https://issuer.example bob",
    label="bob@example.com",
    name="Bob",
    email="bob@example.com",
    email_verified=True,
)


class Asked:
    """A request."""

    def __init__(self, headers: Mapping[str, str], method: str = "GET", body: bytes = b"") -> None:
        self.path = "/v1/models"
        self.target = b"/v1/models"
        self.client: str | None = "192.0.2.7"
        self.headers: Mapping[bytes, bytes] = {
            name.encode(): value.encode() for name, value in headers.items()
        }
        self.header_list = [*self.headers.items()]
        self.method = method
        self._body = body

    async def body(self) -> bytes:
        return self._body


class Worker:
    """The sessions of one worker, which sees the others' changes when it is told to look."""

    def __init__(self, database: Database, **rules: Any) -> None:
        self.database = database
        self.changes = Changes(database)
        settings: dict[str, Any] = {"sign_up": "open", **rules}
        self.sessions = Sessions(database, self.changes, Rules(**settings))

    async def sign_in(self, proof: Proof = ANN, **more: Any) -> SignedIn:
        return await self.sessions.sign_in(proof, method="did-key", client=BROWSER, **more)

    async def who(self, access: str) -> Principal:
        principal = await self.sessions.authenticate(Asked({"authorization": f"Bearer {access}"}))
        assert principal is not None
        return principal


@asynccontextmanager
async def worker(database: Database, **rules: Any) -> AsyncGenerator[Worker]:
    """A worker that has started."""
    made = Worker(database, **rules)
    await made.sessions.startup()
    try:
        yield made
    finally:
        await made.sessions.shutdown()
        await made.changes.stop()
