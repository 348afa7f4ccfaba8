"""Fixtures of the tests from outside: real processes, real sockets, real databases."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI

from .support.process import Deployment, deployment
from .support.upstream import Handler, Upstream, listen

POSTGRES = "postgresql://root@127.0.0.1:5432"

Deploy = Callable[..., Deployment]


@pytest.fixture
def deploy(tmp_path: Path) -> Iterator[Deploy]:
    """Serve configs for the length of one test: `deploy(config, *options)`."""
    with contextlib.ExitStack() as stack:

        def enter(config: str, *options: str, **how: Any) -> Deployment:
            folder = tmp_path / uuid.uuid4().hex
            folder.mkdir()
            return stack.enter_context(deployment(folder, config, *options, **how))

        yield enter


@pytest.fixture(scope="module")
def listener() -> Iterator[socket.socket]:
    """A listening socket for the upstreams of one module."""
    with listen() as sock:
        yield sock


@pytest.fixture(scope="module")
def base_url(listener: socket.socket) -> str:
    """Where the upstreams of this module answer."""
    return f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


@pytest.fixture
def upstream(listener: socket.socket) -> Callable[[Handler], Upstream]:
    """Run a provider: `async with upstream(handler) as up`."""
    return lambda handler: Upstream(handler, listener)


@pytest.fixture
def client() -> Iterator[Callable[[Deployment, str], AsyncOpenAI]]:
    """Make the official SDK's client; it never retries, so that a test sees every answer."""
    yield lambda served, key: AsyncOpenAI(base_url=f"{served.url}/v1", api_key=key, max_retries=0, timeout=30)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of a fresh database, once of each kind."""
    if request.param == "sqlite":
        yield "sqlite:///gateway.db"
    else:
        yield request.getfixturevalue("postgres")


@pytest.fixture
def postgres() -> Iterator[str]:
    """URL of a fresh PostgreSQL database, dropped afterwards."""
    name = f"e2e_{uuid.uuid4().hex[:12]}"
    try:
        asyncio.run(_execute(f"CREATE DATABASE {name}"))
    except OSError as error:
        if "CI" in os.environ:  # noqa: TID251 - tells a machine that must have PostgreSQL
            raise
        pytest.skip(f"no PostgreSQL answers at {POSTGRES}: {error}")
    yield f"{POSTGRES}/{name}"
    asyncio.run(_execute(f"DROP DATABASE {name} WITH (FORCE)"))


async def _execute(statement: str) -> None:
    import asyncpg

    connection: Any = await asyncpg.connect(f"{POSTGRES}/postgres", timeout=5)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
