"""A gateway whose provider `acme` is a service that answers as told, and callers with keys."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.app import Gateway
from gateway.protocols import Incoming
from gateway.testing.fakes import plugin_with
from gateway.testing.pytest_plugin import GatewayFactory
from gateway.testing.upstream import FakeUpstream, Reply
from gateway.types import Call, Outcome, Principal

JSON = {"content-type": "application/json"}
SECRET = "sk-not-a-real-key-but-long-enough"
CHAT: dict[str, Any] = {"model": "gpt", "messages": [{"role": "user", "content": "Hello?"}]}


class Watch:
    """Notes how calls ended."""

    def __init__(self) -> None:
        self.ended: list[tuple[Call, Outcome]] = []

    def finished(self, call: Call, outcome: Outcome) -> None:
        self.ended.append((call, outcome))

    def last(self) -> tuple[Any, ...]:
        call, outcome = self.ended[-1]
        return call.capability, call.model, outcome.provider, outcome.status, outcome.http_status


class Keys:
    """Knows two keys; the second one may use one model only."""

    async def authenticate(self, incoming: Incoming) -> Principal | None:
        headers = incoming.headers
        key = headers.get(b"authorization") or headers.get(b"x-api-key")
        if key in {b"Bearer gw_all", b"gw_all"}:
            return Principal(tenant="t", authenticator="keys")
        if key == b"Bearer gw_one":
            return Principal(tenant="t", authenticator="keys", models=("acme/gpt",))
        return None


class Served:
    def __init__(self, gateway: Gateway, http: Any, upstream: FakeUpstream, watch: Watch) -> None:
        self.gateway = gateway
        self.http = http
        self.upstream = upstream
        self.watch = watch


@pytest.fixture
def serve(gateway_factory: GatewayFactory) -> Any:
    """Start a gateway whose provider `acme` is a service that answers as told."""

    @asynccontextmanager
    async def start(
        *scripted: Reply,
        use: str = "openai",
        path: str = "/v1",
        passthrough: tuple[str, ...] = (),
        **more: Any,
    ) -> AsyncGenerator[Served]:
        watch = Watch()
        plugins = [
            plugin_with("middleware.watch", register_interceptors=[watch]),
            plugin_with("auth.keys", register_authenticators=[Keys()]),
        ]
        async with FakeUpstream() as upstream:
            upstream.reply(*scripted)
            settings = {
                "base_url": upstream.url + path,
                "api_key": SECRET,
                "passthrough": passthrough,
                **more,
            }
            config: dict[str, Any] = {
                "provider": {"acme": {"use": use, **settings}},
                "middleware": {"watch": {}},
                "auth": {"keys": {}},
            }
            async with gateway_factory(config, plugins) as gateway, gateway.client as http:
                http.headers["authorization"] = "Bearer gw_all"
                yield Served(gateway, http, upstream, watch)

    return start
