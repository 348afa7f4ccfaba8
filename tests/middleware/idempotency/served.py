"""A gateway whose provider waits to be let go, and clients that see every piece."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import httpx2
from openai import AsyncOpenAI
from sqlalchemy import func, select
from starlette.types import Message

from gateway import Gateway
from gateway.errors import ProviderError
from gateway.protocols import Incoming
from gateway.store import Database
from gateway.store.identity_tables import kept_answers
from gateway.store.money_tables import answered_calls
from gateway.store.tables import model_calls
from gateway.testing.fakes import FakeProvider
from gateway.types import Answer, Attempt, Principal

HI: list[Any] = [{"role": "user", "content": "Hello?"}]
CHAT = "/v1/chat/completions"
KEY = {"idempotency-key": "k-1"}
NONE: Mapping[str, str] = {}
JSON = {"content-type": "application/json"}


def chat_body(model: str, *, stream: bool) -> bytes:
    return json.dumps({"model": f"fake/{model}", "messages": HI, "stream": stream}).encode()


class Held(FakeProvider):
    """Answers, and ends its streams, when it is let go; `broken` is out of order, `long` has much to say."""

    models = ("good", "fail", "cut", "hang", "broken", "refused", "long")

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()

    async def send(self, attempt: Attempt) -> Answer:
        statuses = {"broken": 500, "refused": 400}
        if (status := statuses.get(attempt.target.model)) is not None:
            self.attempts.append(attempt)
            raise ProviderError("No.", provider=self.name, status=status, can_fall_back=False)
        answer = await super().send(attempt)
        if answer.stream is None:
            await self.go.wait()
            if attempt.target.model == "long":
                answer.body = answer.body.replace(b"Hello", b"Hello" * 1000)
        else:
            answer.stream = self._held(answer.stream, attempt.target.model)
        return answer

    async def _held(self, stream: AsyncIterator[bytes], model: str) -> AsyncIterator[bytes]:
        first = True
        async for event in stream:
            yield event
            if first:
                await self.go.wait()
                first = False
                if model == "long":
                    for _ in range(50):
                        yield event


class OfHeader:
    """Takes everybody's word for the tenant."""

    async def authenticate(self, incoming: Incoming) -> Principal | None:
        tenant = incoming.headers.get(b"x-tenant", b"acme").decode()
        return Principal(tenant=tenant, authenticator="header", key=f"key_{tenant}")


class Served:
    """A gateway, its provider, and clients."""

    def __init__(self, gateway: Gateway, provider: Held, client: httpx2.AsyncClient) -> None:
        self.gateway = gateway
        self.provider = provider
        self.client = client
        self.sdk = AsyncOpenAI(
            base_url="http://gateway/v1", api_key="sk-fake", http_client=client, max_retries=0
        )
        self.database: Database = gateway.registry.plugins[0].context.database

    async def chat(
        self, model: str = "good", *, stream: bool = False, headers: Mapping[str, str] = NONE
    ) -> httpx2.Response:
        """Ask, under the key `k-1` unless `headers` have another."""
        body = chat_body(model, stream=stream)
        return await self.client.post(CHAT, content=body, headers={**JSON, **KEY, **headers})

    async def settled(self, count: int) -> None:
        """Wait until the ledger has so many calls, all of which have ended."""
        query = select(model_calls.c.status, func.count()).group_by(model_calls.c.status)
        async with asyncio.timeout(30):
            while True:
                async with self.database.connect() as connection:
                    found: dict[str, int] = {row[0]: row[1] for row in await connection.execute(query)}
                if "processing" not in found and sum(found.values()) == count:
                    return
                await asyncio.sleep(0.02)

    async def kept(self) -> list[Any]:
        """What is in the table."""
        async with self.database.connect() as connection:
            return [*(await connection.execute(select(kept_answers)))]

    async def billed(self) -> list[Any]:
        """What was billed under keys."""
        async with self.database.connect() as connection:
            return [*(await connection.execute(select(answered_calls)))]


class Caller:
    """A client at ASGI's side of the gateway, which sees each piece as it is sent, and may leave."""

    def __init__(
        self,
        gateway: Gateway,
        *,
        model: str = "good",
        stream: bool = True,
        headers: Sequence[tuple[bytes, bytes]] = (
            (b"idempotency-key", b"k-1"),
            (b"content-type", b"application/json"),
        ),
    ) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.pieces: list[bytes] = []
        self.ended = False
        self._gone = asyncio.Event()
        self._came = asyncio.Event()
        self._request: list[Message] = [{"type": "http.request", "body": chat_body(model, stream=stream)}]
        scope: dict[str, Any] = {
            "type": "http",
            "method": "POST",
            "path": CHAT,
            "query_string": b"",
            "headers": [*headers],
        }
        self.task = asyncio.create_task(gateway(scope, self._receive, self._send))

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    async def until(self, text: bytes) -> None:
        """Wait until it has been sent."""
        async with asyncio.timeout(30):
            while text not in self.body:
                self._came.clear()
                await self._came.wait()

    def leave(self) -> None:
        """Close the connection."""
        self._gone.set()

    async def _receive(self) -> Message:
        if self._request:
            return self._request.pop()
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if self._gone.is_set():
            raise OSError("the client has gone")
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        else:
            self.pieces.append(message.get("body", b""))
            self.ended = not message.get("more_body", False)
        self._came.set()
