"""Fixtures of the tests from outside: real processes, real sockets, real databases."""

from __future__ import annotations

import contextlib
import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .. import scratch
from .support.process import Deployment, deployment
from .support.upstream import Handler, Upstream, listen

Deploy = Callable[..., Deployment]


@pytest.fixture
def deploy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deploy]:
    """Serve configs for the length of one test: call it with a config and the options of `gateway serve`."""
    for name in {"database", "postgres"} & {*request.fixturenames}:
        request.getfixturevalue(name)  # so that it is dropped after those have stopped who use it
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
    """Give what makes a provider of a handler; it runs for the length of an `async with` block."""
    return lambda handler: Upstream(handler, listener)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of a new database with the core's tables, once of each kind."""
    if request.param == "sqlite":
        yield "sqlite:///gateway.db"
    else:
        yield request.getfixturevalue("postgres")


@pytest.fixture
def postgres() -> Iterator[str]:
    """URL of a new PostgreSQL database with the core's tables, dropped afterwards."""
    with scratch.postgres() as url:
        yield url
