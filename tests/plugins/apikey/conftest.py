"""The plugin, started on a database of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.plugin import Context
from gateway.testing.fakes import plugin_context

from ... import scratch
from .support import running


@pytest.fixture
async def context(tmp_path: Path):
    scratch.sqlite(tmp_path)
    context = plugin_context(tmp_path)
    yield context
    await context.changes.stop()
    await context.database.close()


@pytest.fixture
async def plugin(context: Context):
    async with running(context) as plugin:
        yield plugin
