"""A gateway whose callers are whoever they say they are, with the calls of two tenants; one for all tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from gateway import Gateway

from .people import new_gateway
from .rows import Rows


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    return new_gateway(tmp_path_factory.mktemp("admin"))


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[TestClient]:
    with TestClient(gateway, base_url="http://gateway/admin/api", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def rows(gateway: Gateway, client: TestClient) -> Rows:
    """Writes rows into the running gateway's database."""
    assert client.portal is not None
    return Rows(gateway._context.database, client.portal)
