"""What a sink promises: a record that was taken is safe, and one that comes twice does no harm."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gateway.billing import TakesNotices
from gateway.protocols import Sink
from gateway.testing.contracts.plugin import PluginContract
from gateway.testing.contracts.running import in_event_loop
from gateway.testing.fakes import FakeProvider, plugin_with
from gateway.testing.upstream import FakeUpstream

CHAT = {"model": "fake/good", "messages": [{"role": "user", "content": "Hello?"}]}
POLL_SECONDS = 0.02
CALLS = 3

RECORD: Mapping[str, Any] = {
    "id": "call_00000000000000000000000001",
    "request_id": "req_00000000000000000000000001",
    "client_request_id": None,
    "tenant": "default",
    "user": None,
    "key": None,
    "key_name": None,
    "capability": "chat",
    "dialect": "openai.chat",
    "model": "fake/good",
    "stream": False,
    "provider": "fake",
    "upstream_model": "good",
    "status": "success",
    "attempts": 1,
    "http_status": 200,
    "prompt_tokens": 3,
    "completion_tokens": 5,
    "cached_read_tokens": 0,
    "cached_write_tokens": 0,
    "reasoning_tokens": 0,
    "units": None,
    "estimated": False,
    "cost": 0.000000001,
    "cost_nano": 1,
    "charge_nano": 2,
    "price_version": "1",
    "error": None,
    "received_at": "2026-01-01T00:00:00.000Z",
    "first_byte_at": "2026-01-01T00:00:00.100Z",
    "ended_at": "2026-01-01T00:00:00.200Z",
    "duration_ms": 200,
}
"""A record as sinks get them."""

_TOLD: Mapping[str, Mapping[str, Any]] = {
    "adjustment": {
        "call": RECORD["id"],
        "number": 1,
        "key": None,
        "model": "fake/good",
        "received_at": "2026-01-01T00:00:00.000Z",
        "cost_nano": 0,
        "charge_nano": -1,
        "price_version": "2",
        "reason": "priced again",
    },
    "refund": {"call": RECORD["id"], "amount_nano": 2, "account": "default", "transaction": "x"},
    "credit_note": {"number": "C-1", "invoice": "inv_1", "total": -100, "currency": "USD"},
    "invoice_run": {"month": "2026-01", "state": "drafted", "drafted": 1, "failed": [], "without_data": []},
    "balance": {"level": "low", "balance_nano": 5, "available_nano": 4},
    "budget": {"budget": "bud_1", "threshold_percent": 80, "spent_nano": 8, "amount_nano": 10},
}
NOTICES: Sequence[Mapping[str, Any]] = [
    {
        "id": f"evt_{number:032x}",
        "kind": kind,
        "tenant": "default",
        "user": None,
        "time": "2026-01-01T00:00:00.300Z",
        "data": data,
    }
    for number, (kind, data) in enumerate(_TOLD.items())
]
"""A notice of each kind as sinks get them."""


class SinkContract(PluginContract):
    """The suite for sinks. Set `plugin` and `config`, and say what has arrived at the far side."""

    kind: ClassVar[str] = "sink"

    async def arrived(self, sink: Sink, upstream: FakeUpstream) -> Collection[str]:
        """Return the ids of the records that are safe at the far side, each once."""
        raise NotImplementedError

    def arrange(self, upstream: FakeUpstream) -> None:
        """Script the fake upstream to take records, for a sink that sends over HTTP."""

    @asynccontextmanager
    async def sink(self, folder: Path, upstream: FakeUpstream) -> AsyncGenerator[tuple[Sink, Any]]:
        """Start a gateway with this sink and a fake provider; give the sink and a client."""
        others = [plugin_with("provider.fake", register_providers=[FakeProvider()])]
        async with (
            self.gateway(folder, settings=self.settings(upstream.url), plugins=others) as gateway,
            gateway.client as client,
        ):
            plugin: Any = gateway.registry.plugins[0]
            (sink,) = plugin.register_sinks()
            yield sink, client

    @in_event_loop
    async def test_takes_records(self, tmp_path: Path) -> None:
        async with FakeUpstream() as upstream:
            self.arrange(upstream)
            async with self.sink(tmp_path, upstream) as (sink, _):
                assert isinstance(sink, Sink)
                assert sink.name
                record = copy.deepcopy(dict(RECORD))
                await sink.deliver([record])
                assert record == RECORD, "records belong to all sinks: do not change them"
                assert list(await self.arrived(sink, upstream)) == [RECORD["id"]]

    @in_event_loop
    async def test_takes_a_record_twice_and_keeps_it_once(self, tmp_path: Path) -> None:
        async with FakeUpstream() as upstream:
            self.arrange(upstream)
            async with self.sink(tmp_path, upstream) as (sink, _):
                second = {**RECORD, "id": "call_00000000000000000000000002"}
                await sink.deliver([RECORD])
                await sink.deliver([RECORD, second])
                assert sorted(await self.arrived(sink, upstream)) == [RECORD["id"], second["id"]]

    @in_event_loop
    async def test_takes_notices_twice_and_keeps_each_once(self, tmp_path: Path) -> None:
        async with FakeUpstream() as upstream:
            self.arrange(upstream)
            async with self.sink(tmp_path, upstream) as (sink, _):
                if not isinstance(sink, TakesNotices):
                    pytest.skip("it takes calls alone")
                notices = copy.deepcopy(NOTICES)
                await sink.deliver_notices(notices)
                await sink.deliver_notices(notices)
                assert notices == NOTICES, "notices belong to all sinks: do not change them"
                arrived = list(await self.arrived(sink, upstream))
                assert len(arrived) == len(set(arrived))
                assert set(arrived) <= {notice["id"] for notice in notices}

    @in_event_loop
    async def test_is_fed_by_calls(self, tmp_path: Path) -> None:
        async with FakeUpstream() as upstream:
            self.arrange(upstream)
            async with self.sink(tmp_path, upstream) as (sink, client):
                for _ in range(CALLS):
                    response = await client.post("/v1/chat/completions", json=CHAT)
                    assert response.status_code == HTTPStatus.OK, response.text
                while len(await self.arrived(sink, upstream)) < CALLS:  # noqa: ASYNC110 - only asking tells
                    await asyncio.sleep(POLL_SECONDS)

    @in_event_loop
    async def test_raises_while_the_far_side_is_away(self, tmp_path: Path) -> None:
        if self.settings("A") == self.settings("B"):
            pytest.skip("it sends nothing over the network")
        async with FakeUpstream() as upstream:
            pass
        async with self.sink(tmp_path, upstream) as (sink, _):
            with pytest.raises(Exception):  # noqa: B017, PT011 - any exception makes the records come again
                await sink.deliver([RECORD])
