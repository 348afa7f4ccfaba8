"""Fixtures for the tests of plugins. Imports the gateway when a fixture is used, so that coverage sees it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from gateway import Gateway, Plugin

pytest.register_assert_rewrite("gateway.testing.contracts")


class GatewayFactory(Protocol):
    """The type of `gateway_factory`."""

    def __call__(
        self, config: Mapping[str, Any], plugins: Sequence[type[Plugin[Any]]] = ()
    ) -> AbstractAsyncContextManager[Gateway]: ...


class ClientFactory(Protocol):
    """The type of `gateway_client`."""

    def __call__(
        self, config: Mapping[str, Any], plugins: Sequence[type[Plugin[Any]]] = ()
    ) -> TestClient: ...


@pytest.fixture
def gateway_factory(tmp_path: Path) -> GatewayFactory:
    """Start a gateway in an async test.

    Use it as `async with gateway_factory({...}, plugins=[Acme]) as gateway`. Its database is a file in `tmp_path`, unless the config names one. `gateway.client` calls it in process.
    """

    @asynccontextmanager
    async def start(
        config: Mapping[str, Any], plugins: Sequence[type[Plugin[Any]]] = ()
    ) -> AsyncGenerator[Gateway]:
        gateway = _build(config, plugins, tmp_path)
        async with gateway.lifespan():
            yield gateway

    return start


@pytest.fixture
def gateway_client(tmp_path: Path) -> Generator[ClientFactory]:
    """Start a gateway in a test that is not async.

    Use it as `client = gateway_client({...}, plugins=[Acme])`. The client is Starlette's `TestClient`; the gateway stops at the end of the test.
    """
    with ExitStack() as stack:

        def start(config: Mapping[str, Any], plugins: Sequence[type[Plugin[Any]]] = ()) -> TestClient:
            from starlette.testclient import TestClient  # noqa: PLC0415 - lazily, see above

            client = TestClient(_build(config, plugins, tmp_path), raise_server_exceptions=False)
            return stack.enter_context(client)

        yield start


def _build(config: Mapping[str, Any], plugins: Sequence[type[Plugin[Any]]], folder: Path) -> Gateway:
    from gateway import Gateway  # noqa: PLC0415 - lazily, see above

    core = {"database": f"sqlite:///{folder / 'gateway.db'}", **config.get("gateway", {})}
    return Gateway.from_dict({**config, "gateway": core}, plugins=plugins)
