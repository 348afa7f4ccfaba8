"""A gateway where a token of an answer costs one credit, and every answer has five tokens."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from httpx2 import Response

from gateway import Gateway
from gateway.plugin import Plugin, PluginConfig, hookimpl
from gateway.protocols import Authenticator, Incoming
from gateway.testing.fakes import FakeProvider, plugin_with
from gateway.types import NANO, Principal
from gateway_credits import Credits
from gateway_credits.book import Book
from gateway_credits.verify import verify

PRICE = 5 * NANO
"""Of each call, in 10⁻⁹ credit; as much is held for it."""


class Anybody(Plugin[PluginConfig]):
    """Believes everybody: `Authorization: Test TENANT USER PERMISSION…`."""

    id = "auth.anybody"

    @hookimpl
    def register_authenticators(self) -> tuple[Authenticator, ...]:
        return (self,)

    async def authenticate(self, incoming: Incoming) -> Principal | None:
        scheme, *words = incoming.headers.get(b"authorization", b"-").decode().split()
        if scheme != "Test":
            return None
        tenant, user, *scopes = words
        granted = frozenset({"calls.make", *scopes})
        return Principal(tenant=tenant, authenticator="test", user=user, session="ses_1", scopes=granted)


def who(tenant: str = "acme", user: str = "usr_ann", *scopes: str) -> dict[str, str]:
    return {"authorization": " ".join(("Test", tenant, user, *scopes))}


class Shop:
    """The running gateway, and what its provider was asked."""

    def __init__(self, gateway: Gateway, client: Any, provider: FakeProvider) -> None:
        self.gateway = gateway
        self.client = client
        self.provider = provider
        book = gateway._context.credits
        assert isinstance(book, Book)
        self.book = book

    async def call(self, headers: Mapping[str, str] | None = None, **more: Any) -> Response:
        body = {
            "model": "fake/good",
            "messages": [{"role": "user", "content": "Hi"}],
            "max_tokens": 5,
            **more,
        }
        return await self.client.post("/v1/chat/completions", json=body, headers=headers or who())

    async def calls(self, count: int) -> Counter[int]:
        """Call so many times at once; return the statuses."""
        answers = await asyncio.gather(*(self.call() for _ in range(count)))
        return Counter(answer.status_code for answer in answers)

    async def balance(self, tenant: str = "acme", user: str | None = None) -> int:
        """In 10⁻⁹ credit, once nothing is held."""
        async with asyncio.timeout(30):
            while (found := await self.book.balance(self.book.account(tenant, user))).held:
                await asyncio.sleep(0.01)
        return found.balance

    async def problems(self) -> list[str]:
        return [problem async for problem in verify(self.book.database)]


@asynccontextmanager
async def shop(database: str, **settings: Any) -> AsyncGenerator[Shop]:
    """Open shop on a database."""
    provider = FakeProvider()
    config: dict[str, Any] = {
        "gateway": {
            "database": database,
            "prices": {"unknown": "fallback", "fallback_input": "0", "fallback_output": "1000000"},
        },
        "auth": {"anybody": {}},
        "provider": {"fake": {}},
        "billing": {"credits": settings},
    }
    fake = plugin_with("provider.fake", register_providers=[provider])
    gateway = Gateway.from_dict(config, plugins=[Anybody, Credits, fake])
    async with gateway.lifespan(), gateway.client as client:
        yield Shop(gateway, client, provider)
