"""What one tenant has, another cannot see, use, change or tell from what there is not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from gateway.store.audit import Actor
from gateway.store.keys import create_key

from .samples import BOUNDARY
from .served import Asked, Got, Served, serving

TESTS = Actor(kind="gateway", id="tests")
LINE = b'{"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "mock/echo", "messages": [{"role": "user", "content": "Hi"}]}}'
FORM = (
    b'--%b\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    b'--%b\r\ncontent-disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n%b\r\n--%b--\r\n'
    % (BOUNDARY.encode(), BOUNDARY.encode(), LINE, BOUNDARY.encode())
)
ROUTES = (
    ("GET", "/v1/responses/RESPONSE"),
    ("DELETE", "/v1/responses/RESPONSE"),
    ("POST", "/v1/responses/RESPONSE/cancel"),
    ("GET", "/v1/responses/RESPONSE/input_items"),
    ("GET", "/v1/responses/BACKGROUND"),
    ("POST", "/v1/responses/BACKGROUND/cancel"),
    ("GET", "/v1/files/FILE"),
    ("GET", "/v1/files/FILE/content"),
    ("DELETE", "/v1/files/FILE"),
    ("GET", "/v1/batches/BATCH"),
    ("POST", "/v1/batches/BATCH/cancel"),
    ("GET", "/v1/videos/VIDEO"),
    ("GET", "/v1/videos/VIDEO/content"),
    ("DELETE", "/v1/videos/VIDEO"),
)
LISTS = ("/v1/files", "/v1/batches", "/v1/videos")


class Tenant:
    """Asks with a tenant's key."""

    def __init__(self, served: Served, name: str) -> None:
        _, key = served.portal.call(
            lambda: create_key(served.gateway._database, name, tenant=name, actor=TESTS)
        )
        self._served = served
        self._headers = {"authorization": f"Bearer {key}"}

    def ask(
        self, method: str, path: str, body: Any = None, *, kind: str = "application/json", query: bytes = b""
    ) -> Got:
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        headers = {**self._headers, "content-type": kind}
        return self._served.ask(Asked(method=method, path=path, query=query, headers=headers, body=content))

    def made(self, path: str, body: Any, **how: Any) -> str:
        """Make something, and return its id."""
        got = self.ask("POST", path, body, **how)
        assert got.status == 200, got.body
        return json.loads(got.body)["id"]


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving({"auth": {"apikey": {}}, "provider": {"mock": {}}}) as served:
        yield served


@pytest.fixture(scope="module")
def owner(served: Served) -> Tenant:
    return Tenant(served, "owner")


@pytest.fixture(scope="module")
def other(served: Served) -> Tenant:
    return Tenant(served, "other")


@pytest.fixture(scope="module")
def things(owner: Tenant) -> Mapping[str, str]:
    """Ids of what the owner has."""
    said = {"model": "mock/echo", "input": "A secret of mine."}
    file = owner.made("/v1/files", FORM, kind=f"multipart/form-data; boundary={BOUNDARY}")
    batch = {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    return {
        "RESPONSE": owner.made("/v1/responses", said),
        "BACKGROUND": owner.made("/v1/responses", {**said, "background": True}),
        "FILE": file,
        "BATCH": owner.made("/v1/batches", batch),
        "VIDEO": owner.made("/v1/videos", {"model": "mock/film", "prompt": "A secret of mine."}),
    }


def filled(path: str, things: Mapping[str, str]) -> str:
    for name, id_ in things.items():
        path = path.replace(name, id_)
    return path


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_another_tenant_is_told_what_it_is_told_of_nothing(
    other: Tenant, things: Mapping[str, str], method: str, path: str
) -> None:
    got = other.ask(method, filled(path, things))
    assert got.status == 404
    nothing = {name: id_[:-4] + "0000" for name, id_ in things.items()}
    unknown = other.ask(method, filled(path, nothing))
    assert unknown.status == 404
    told = got.body.decode()
    for name, id_ in things.items():
        told = told.replace(id_, nothing[name])
    assert json.loads(told) == json.loads(unknown.body)


@pytest.mark.parametrize("path", LISTS)
def test_lists_hold_only_ones_own(other: Tenant, owner: Tenant, things: Mapping[str, str], path: str) -> None:
    assert json.loads(other.ask("GET", path).body)["data"] == []
    mine = [each["id"] for each in json.loads(owner.ask("GET", path).body)["data"]]
    assert set(mine) & set(things.values())
    cursor = other.ask("GET", path, query=b"after=" + mine[0].encode())
    assert cursor.status in {400, 404}


def test_nothing_of_another_tenant_can_be_used(other: Tenant, things: Mapping[str, str]) -> None:
    said = {"model": "mock/echo", "input": "And?", "previous_response_id": things["RESPONSE"]}
    for path in ("/v1/responses", "/v1/responses/input_tokens"):
        assert other.ask("POST", path, said).status in {400, 404}
    batch = {"input_file_id": things["FILE"], "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    assert other.ask("POST", "/v1/batches", batch).status in {400, 404}
    remix = other.ask("POST", f"/v1/videos/{things['VIDEO']}/remix", {"prompt": "Mine now."})
    assert remix.status == 404


@pytest.mark.parametrize(
    ("method", "path"), [route for route in ROUTES if route[0] == "GET" and "content" not in route[1]]
)
def test_the_owner_still_has_everything(
    owner: Tenant, things: Mapping[str, str], method: str, path: str
) -> None:
    assert owner.ask(method, filled(path, things)).status == 200
