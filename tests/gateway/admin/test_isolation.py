"""No tenant sees, changes or tells from nothing what another one has: tried at every declared endpoint."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from gateway.admin.endpoint import Endpoint
from gateway.admin.resources import endpoints

from .people import signed_in
from .rows import Rows
from .samples import BODIES, MAKERS, MARK, SHARED

THEIRS, OURS = "their-tenant", "our-tenant"
THEM, US = signed_in(THEIRS, "usr_them"), signed_in(OURS, "usr_us")
OF_TENANTS = [endpoint for endpoint in endpoints() if not endpoint.of_gateway and endpoint.path not in SHARED]
OF_ONE = [endpoint for endpoint in OF_TENANTS if "{" in endpoint.path]
LISTS = [endpoint for endpoint in OF_TENANTS if "{" not in endpoint.path and endpoint.method == "GET"]


def label(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


def maker_of(endpoint: Endpoint) -> str:
    """The longest path in MAKERS that the endpoint's begins with."""
    fitting = [path for path in MAKERS if endpoint.path == path or endpoint.path.startswith(path + "/")]
    assert fitting, (
        f"{label(endpoint)} names an object: add to tests/gateway/admin/samples.py how one is made"
    )
    return max(fitting, key=len)


@pytest.fixture(scope="module")
def theirs(rows: Rows) -> Mapping[str, Mapping[str, str]]:
    """One object of every kind, by the path in MAKERS."""
    for tenant in (THEIRS, OURS):
        rows.tenant(tenant)
    return {path: make(rows, THEIRS) for path, make in MAKERS.items()}


def ask(
    client: TestClient, endpoint: Endpoint, named: Mapping[str, str], headers: Mapping[str, str]
) -> Response:
    path = re.sub(r"\{(\w+)(?::path)?\}", lambda found: named.get(found[1], "x"), endpoint.path)
    body = BODIES.get((endpoint.method, endpoint.path))
    return client.request(endpoint.method, path, headers={**headers, "if-match": "*"}, json=body)


@pytest.mark.parametrize("endpoint", [one for one in OF_ONE if one.method == "GET"], ids=label)
def test_the_samples_are_there(
    client: TestClient, theirs: Mapping[str, Mapping[str, str]], endpoint: Endpoint
) -> None:
    answer = ask(client, endpoint, theirs[maker_of(endpoint)], THEM)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("endpoint", OF_ONE, ids=label)
def test_nobody_reaches_what_another_tenant_has(
    client: TestClient, theirs: Mapping[str, Mapping[str, str]], endpoint: Endpoint
) -> None:
    named = theirs[maker_of(endpoint)]
    refused = ask(client, endpoint, named, US)
    assert refused.status_code == 404, refused.text
    nothing = ask(client, endpoint, {name: value[:-1] + "~" for name, value in named.items()}, US)
    assert nothing.json()["code"] == refused.json()["code"], (
        "what is another's must look like what is not there"
    )
    for headers in (
        {**US, "x-tenant": THEIRS},
        {**signed_in(OURS, "usr_us", "owner", "gateway.tenants"), "x-tenant": THEIRS},
    ):
        assert ask(client, endpoint, named, headers).status_code == 403


@pytest.mark.parametrize("endpoint", LISTS, ids=label)
def test_no_list_holds_what_another_tenant_has(
    client: TestClient, theirs: Mapping[str, Mapping[str, str]], endpoint: Endpoint
) -> None:
    answer = ask(client, endpoint, {}, US)
    assert answer.status_code in {200, 403}, (
        answer.text
    )  # 403: for callers of another kind, as `/me/…` without a user
    assert MARK not in answer.text
    for sample in theirs.values():
        assert not any(len(value) > 4 and value in answer.text for value in sample.values())
    refused = client.get(endpoint.path, params={"tenant": THEIRS}, headers=US)
    assert refused.status_code == 403


SEARCHES = [endpoint for endpoint in LISTS if "search" in endpoint.query.model_fields]


@pytest.mark.parametrize("endpoint", SEARCHES, ids=label)
def test_no_search_finds_what_another_tenant_has(
    client: TestClient, theirs: Mapping[str, Mapping[str, str]], endpoint: Endpoint
) -> None:
    words = {MARK, *(value for sample in theirs.values() for value in sample.values())}
    for word in words:
        answer = client.get(endpoint.path, params={"search": word}, headers=US)
        assert answer.status_code == 200, answer.text
        assert word not in answer.text


def test_searches_find_what_the_tenant_has(
    client: TestClient, theirs: Mapping[str, Mapping[str, str]]
) -> None:
    assert {endpoint.path for endpoint in SEARCHES} >= {"/calls", "/keys", "/users"}
    for path in ("/calls", "/keys", "/users"):
        assert MARK in client.get(path, params={"search": MARK[3:-3].upper()}, headers=THEM).text


@pytest.mark.parametrize("path", ["/calls", "/calls/export", "/audit"])
def test_lists_hold_what_the_tenant_has(
    client: TestClient, theirs: Mapping[str, Mapping[str, str]], path: str
) -> None:
    assert MARK in client.get(path, headers=THEM).text
