"""A gateway with `middleware.idempotency`, on a database with its tables."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway import Gateway
from gateway.testing.fakes import plugin_with

from ... import scratch
from .served import Held, OfHeader, Served

Serve = Callable[..., contextlib.AbstractAsyncContextManager[Served]]


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("migrated") / "gateway.db"
    file.write_bytes(scratch.sqlite_file())
    return file


@pytest.fixture
def serve(migrated: Path, tmp_path: Path) -> Serve:
    shutil.copy(migrated, tmp_path / "gateway.db")

    @asynccontextmanager
    async def start(*, held: bool = False, **settings: Any) -> AsyncGenerator[Served]:
        provider = Held()
        if not held:
            provider.go.set()
        fakes = [
            plugin_with("provider.fake", register_providers=[provider]),
            plugin_with("auth.header", register_authenticators=[OfHeader()]),
        ]
        config: dict[str, Any] = {
            "gateway": {"database": f"sqlite:///{tmp_path / 'gateway.db'}"},
            "middleware": {"idempotency": settings},
            "auth": {"header": {}},
            "provider": {"fake": {}, "mock": {}},
        }
        gateway = Gateway.from_dict(config, plugins=fakes)
        async with gateway.lifespan(), gateway.client as client:
            yield Served(gateway, provider, client)

    return start
