"""One gateway for all tests of a module, on SQLite unless `both` asks for more; every test has browsers of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from starlette.testclient import TestClient

from gateway import Gateway

from ... import scratch
from .browser import CONFIG, ORIGIN, Browser


@pytest.fixture(scope="module")
def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    kind = getattr(request, "param", "sqlite")
    with scratch.database(kind, tmp_path_factory.mktemp("wallet")) as url:
        yield Gateway.from_dict({**CONFIG, "gateway": {**CONFIG["gateway"], "database": url}})


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[TestClient]:
    with TestClient(gateway, base_url=ORIGIN, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def new_browser(client: TestClient, gateway: Gateway) -> Callable[[], Browser]:
    return lambda: Browser(client, gateway)


@pytest.fixture
def browser(new_browser: Callable[[], Browser]) -> Browser:
    return new_browser()


@pytest.fixture
def program(client: TestClient, gateway: Gateway) -> Browser:
    return Browser(client, gateway, origin=None)
