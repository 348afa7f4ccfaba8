"""Records to send, and sinks to send them with."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.testing.contracts.sink import RECORD
from gateway.testing.fakes import plugin_context
from gateway.testing.upstream import FakeUpstream
from gateway_events.plugin import EventSink


@pytest.fixture
def make_records() -> Callable[..., list[dict[str, Any]]]:
    def make(count: int, **changes: Any) -> list[dict[str, Any]]:
        return [{**RECORD, "id": f"call_{number:026}", **changes} for number in range(count)]

    return make


@pytest.fixture
async def upstream() -> AsyncGenerator[FakeUpstream]:
    async with FakeUpstream() as upstream:
        yield upstream


@pytest.fixture
async def make_sink(tmp_path: Path) -> AsyncGenerator[Callable[..., EventSink[Any]]]:
    context = plugin_context(tmp_path)
    made: list[EventSink[Any]] = []

    def make(plugin: type[EventSink[Any]], **settings: Any) -> EventSink[Any]:
        sink = plugin("events", plugin.Config.model_validate(settings), context)
        made.append(sink)
        return sink

    yield make
    for sink in made:
        await sink.shutdown()
    await context.client.close()
    await context.database.close()
