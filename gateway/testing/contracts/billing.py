"""What billing promises: rows for the gateway's transactions, for every end that a call may have."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gateway.protocols import Billing
from gateway.store import Write
from gateway.testing.contracts.plugin import PluginContract
from gateway.testing.contracts.running import in_event_loop
from gateway.testing.fakes import FakeProvider, make_call, plugin_with
from gateway.types import Call, Outcome, Usage

USAGE = Usage(prompt_tokens=3, completion_tokens=5)
OUTCOMES = (
    Outcome(status="success", provider="fake", upstream_model="good", attempts=1, usage=USAGE, cost=1000),
    Outcome(status="success", provider="fake", upstream_model="good", attempts=1, usage=USAGE),
    Outcome(status="success", provider="fake", upstream_model="good", attempts=1),
    Outcome(status="failed", error_code="abandoned", error_message="its worker died"),
    Outcome(status="cancelled", provider="fake", attempts=1, usage=USAGE, cost=10),
)
"""With a price, without one, without usage, never reached a provider, given up by the client."""


class BillingContract(PluginContract):
    """The suite for billing. Set `plugin` and a `config` under which calls are let through."""

    kind: ClassVar[str] = "billing"

    def refusing(self) -> Mapping[str, Any] | None:
        """Give settings under which every call is refused with 402, or None when there are none."""
        return None

    @asynccontextmanager
    async def billed(self, folder: Path, settings: Mapping[str, Any] | None = None) -> AsyncGenerator[_Till]:
        """Start a gateway whose calls this plugin bills."""
        till = _Till()
        others = [
            plugin_with("provider.fake", register_providers=[till.provider]),
            plugin_with("middleware.till", register_interceptors=[till]),
        ]
        async with (
            self.gateway(folder, settings=settings, plugins=others) as gateway,
            gateway.client as client,
        ):
            plugin: Any = gateway.registry.plugins[0]
            till.billing = plugin.register_billing()
            till.client = client
            yield till

    @in_event_loop
    async def test_writes_for_every_outcome(self, tmp_path: Path) -> None:
        async with self.billed(tmp_path) as till:
            assert till.billing
            for billing in till.billing:
                assert isinstance(billing, Billing)
                for outcome in OUTCOMES:
                    call = make_call()
                    for writes in (billing.on_open(call), billing.on_settle(call, outcome)):
                        assert all(isinstance(write, Write) for write in writes)

    @in_event_loop
    async def test_calls_settle(self, tmp_path: Path) -> None:
        async with self.billed(tmp_path) as till:
            assert await till.chat("good") == HTTPStatus.OK
            assert await till.chat("fail") == HTTPStatus.TOO_MANY_REQUESTS
            assert [outcome.status for outcome in till.outcomes] == ["success", "failed"]

    @in_event_loop
    async def test_refuses_before_the_provider_is_called(self, tmp_path: Path) -> None:
        refusing = self.refusing()
        if refusing is None:
            pytest.skip("it refuses nobody")
        async with self.billed(tmp_path, refusing) as till:
            assert await till.chat("good") == HTTPStatus.PAYMENT_REQUIRED
            assert not till.provider.attempts


class _Till:
    """The client, the provider, and how the calls ended."""

    client: Any
    billing: Sequence[Billing]

    def __init__(self) -> None:
        self.provider = FakeProvider()
        self.outcomes: list[Outcome] = []

    def finished(self, call: Call, outcome: Outcome) -> None:
        assert call.id
        self.outcomes.append(outcome)

    async def chat(self, model: str) -> int:
        body = {"model": f"fake/{model}", "messages": [{"role": "user", "content": "Hello?"}]}
        response = await self.client.post("/v1/chat/completions", json=body)
        return response.status_code
