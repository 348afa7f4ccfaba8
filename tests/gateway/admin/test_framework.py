"""What every endpoint of the admin API has from the framework."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any

import pytest
from httpx2 import Response
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from gateway import Gateway
from gateway.admin.app import MAX_BODY
from gateway.admin.endpoint import Endpoint
from gateway.testing.pytest_plugin import ClientFactory

from .notes import Notes
from .people import signed_in
from .rows import Rows

OWNER = signed_in("acme", "usr_ann")


@pytest.fixture(scope="module")
def notes() -> Notes:
    return Notes()


@pytest.fixture(scope="module")
def client(gateway: Gateway, notes: Notes) -> Iterator[TestClient]:
    def endpoints(*_plugins: object) -> Sequence[Endpoint]:
        return notes.endpoints

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.admin.resources.endpoints", endpoints)
        with TestClient(
            gateway, base_url="http://gateway/admin/api", raise_server_exceptions=False
        ) as client:
            yield client


def problem(response: Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    content: dict[str, Any] = response.json()
    assert content["status"] == status
    assert content["title"] == HTTPStatus(status).phrase
    assert content["code"] == code
    assert content["request_id"] == response.headers["x-request-id"]
    assert content["instance"] == response.request.url.path
    assert content["detail"]
    assert response.headers["cache-control"] == "no-store"
    return content


def create(client: TestClient, text: str = "hello", **headers: str) -> Response:
    return client.post("/notes", json={"text": text}, headers={**OWNER, **headers})


def test_nobody_comes_in_without_a_credential(client: TestClient) -> None:
    refused = client.get("/notes/first")
    problem(refused, 401, "invalid_api_key")
    assert refused.headers["www-authenticate"] == "Bearer"


@pytest.mark.usefixtures("client")  # which patches the endpoints in
def test_a_gateway_that_knows_no_callers_is_administered_by_nobody(gateway_client: ClientFactory) -> None:
    client = gateway_client({"provider": {"mock": {}}})
    problem(client.get("/admin/api/notes/first"), 401, "invalid_api_key")


@pytest.mark.parametrize(
    ("method", "granted", "status"),
    [
        ("GET", "keys.read", 404),
        ("GET", "keys.own", 404),
        ("GET", "keys.manage", 403),
        ("GET", "calls.make", 403),
        ("DELETE", "keys.read", 403),
        ("DELETE", "keys.manage", 404),
        ("PUT", "viewer", 403),
        ("PUT", "admin", 404),
    ],
)
def test_a_permission_is_needed(client: TestClient, method: str, granted: str, status: int) -> None:
    headers = {**signed_in("acme", "usr_ann", granted), "if-match": "*"}
    body = {"text": "x"} if method == "PUT" else None
    answer = client.request(method, "/notes/none", headers=headers, json=body)
    problem(answer, status, "permission_denied" if status == 403 else "not_found")


def test_what_concerns_the_gateway_is_for_the_operator_alone(client: TestClient) -> None:
    assert client.get("/gateway/secret", headers=signed_in("default", "usr_o", "admin")).status_code == 200
    # Wherever another tenant's caller has that permission from, it is not believed.
    forged = signed_in("acme", "usr_ann", "gateway.config", "gateway.tenants", "owner")
    problem(client.get("/gateway/secret", headers=forged), 403, "permission_denied")
    problem(client.get("/notes/first?tenant=beta", headers=forged), 403, "permission_denied")


def test_paths_and_methods(client: TestClient) -> None:
    problem(client.get("/nothing", headers=OWNER), 404, "unknown_url")
    problem(client.get("", headers=OWNER), 404, "unknown_url")
    problem(client.get("/notes/%00", headers=OWNER), 404, "not_found")
    problem(client.get("/notes/a%0Ab", headers=OWNER), 404, "not_found")
    problem(client.get("/no%0Athing", headers=OWNER), 404, "unknown_url")
    refused = client.post("/notes/first", headers=OWNER)
    problem(refused, 405, "method_not_allowed")
    assert refused.headers["allow"] == "GET, HEAD, OPTIONS"
    asked = client.options("/notes/x")
    assert (asked.status_code, asked.headers["allow"]) == (204, "DELETE, GET, HEAD, OPTIONS, PUT")
    assert "access-control-allow-origin" not in asked.headers
    shown = client.get("/notes/first", headers=OWNER)
    head = client.head("/notes/first", headers=OWNER)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == shown.headers["content-length"] == str(len(shown.content))


def test_a_fault_tells_nothing(client: TestClient) -> None:
    failed = client.get("/fault", headers=OWNER)
    problem(failed, 500, "internal_error")
    assert "s3cret" not in failed.text


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        (b"", 400, "invalid_json", None),
        (b"{", 400, "invalid_json", None),
        (b'"\xff"', 400, "invalid_json", None),
        (b"[" * 10_000, 400, "invalid_json", None),
        (b"[]", 422, "invalid_fields", ""),
        (b"{}", 422, "invalid_fields", "text"),
        (b'{"text": 1}', 422, "invalid_fields", "text"),
        (b'{"text": "a", "number": "1"}', 422, "invalid_fields", "number"),
        (b'{"text": "a", "other": 1}', 422, "invalid_fields", "other"),
        (b'{"text": "a\\u0000"}', 422, "invalid_fields", ""),
        (b'{"text": "bad"}', 400, "invalid_request", "text"),
        (b" " * (MAX_BODY + 1), 413, "request_too_large", None),
    ],
)
def test_a_body_that_does_not_fit(
    client: TestClient, body: bytes, status: int, code: str, field: str | None
) -> None:
    headers = {**OWNER, "content-type": "application/json; charset=utf-8"}
    refused = problem(client.post("/notes", content=body, headers=headers), status, code)
    assert [error["field"] for error in refused.get("errors", [])] == ([] if field is None else [field])


def test_a_body_is_json_and_says_so(client: TestClient) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        headers = {**OWNER, "content-type": kind}
        problem(
            client.post("/notes", content=b'{"text": "a"}', headers=headers), 415, "unsupported_media_type"
        )


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=x", "limit"),
        ("limit=1&limit=2", "limit"),
        ("other=1", "other"),
        ("cursor=%00", ""),
    ],
)
def test_a_query_that_does_not_fit(client: TestClient, query: str, field: str) -> None:
    refused = problem(client.get(f"/numbers?{query}", headers=OWNER), 422, "invalid_fields")
    assert [error["field"] for error in refused["errors"]] == [field]


@pytest.mark.parametrize("cursor", ["x", "bnVsbA", "WyIxIl0", "WzFlMzBd", "WzEsMl0", "é"])
def test_a_cursor_that_is_none(client: TestClient, cursor: str) -> None:
    problem(client.get("/numbers", params={"cursor": cursor}, headers=OWNER), 400, "invalid_cursor")


@settings(max_examples=15, deadline=None)
@given(numbers=st.sets(st.integers(-(2**40), 2**40), max_size=30), limit=st.integers(1, 10))
def test_pages_hold_everything_once(client: TestClient, notes: Notes, numbers: set[int], limit: int) -> None:
    notes.numbers = sorted(numbers)
    found: list[int] = []
    cursor: str | None = None
    while True:
        query = {"limit": str(limit), **({"cursor": cursor} if cursor else {})}
        page = client.get("/numbers", params=query, headers=OWNER).json()
        assert len(page["data"]) <= limit
        found += [row["value"] for row in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == notes.numbers


def test_etags(client: TestClient) -> None:
    made = create(client)
    assert made.status_code == 201
    place, tag = made.headers["location"], made.headers["etag"]
    assert place == f"/admin/api/notes/{made.json()['id']}"
    place = place.removeprefix("/admin/api")
    assert client.get(place, headers=OWNER).headers["etag"] == tag

    def change(tag: str | None) -> Response:
        headers = {**OWNER, **({} if tag is None else {"if-match": tag})}
        return client.put(place, json={"text": "new"}, headers=headers)

    problem(change(None), 428, "if_match_required")
    problem(change('"0"'), 412, "revision_mismatch")
    problem(change(f"W/{tag}"), 412, "revision_mismatch")
    problem(change('"somebody-elses"'), 412, "revision_mismatch")
    problem(change("0"), 400, "invalid_etag")
    problem(client.delete(place, headers=OWNER), 428, "if_match_required")
    changed = change(f'"0", {tag}')
    assert (changed.status_code, changed.json()["text"]) == (200, "new")
    assert changed.headers["etag"] != tag
    problem(change(tag), 412, "revision_mismatch")
    assert change("*").status_code == 200
    deleted = client.delete(place, headers={**OWNER, "if-match": "*"})
    assert (deleted.status_code, deleted.content) == (204, b"")


def test_a_gateway_that_is_mounted_in_another_application(gateway: Gateway, client: TestClient) -> None:
    host = TestClient(Starlette(routes=[Mount("/ai", gateway)]), base_url="http://host/ai/admin/api")
    host.portal = client.portal  # the event loop in which the gateway was started
    made = create(host)
    assert made.headers["location"] == f"/ai/admin/api/notes/{made.json()['id']}"
    assert (
        client.get(made.headers["location"].removeprefix("/ai/admin/api"), headers=OWNER).status_code == 200
    )
    problem(host.get("/nothing", headers=OWNER), 404, "unknown_url")


def test_what_the_client_has_is_not_sent_again(client: TestClient) -> None:
    made = create(client)
    place, tag = made.headers["location"].removeprefix("/admin/api"), made.headers["etag"]
    for asked, status in ((tag, 304), (f"W/{tag}", 304), ("*", 304), ('"0"', 200)):
        shown = client.get(place, headers={**OWNER, "if-none-match": asked})
        assert (shown.status_code, shown.headers["etag"]) == (status, tag)
        assert bool(shown.content) == (status == 200)
    both = {**OWNER, "if-match": tag, "if-none-match": "*"}
    assert client.put(place, json={"text": "changed"}, headers=both).status_code == 200


def test_a_creation_is_not_done_twice(client: TestClient, notes: Notes) -> None:
    before = notes.made
    first, again = (create(client, **{"idempotency-key": "once"}) for _ in range(2))
    assert (first.status_code, again.status_code, notes.made) == (201, 201, before + 1)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert first.json()["secret"].startswith("s3cret-")
    assert again.json() == {**first.json(), "secret": None}  # it was shown once
    assert {again.headers[name] for name in ("etag", "location")} == {
        first.headers[name] for name in ("etag", "location")
    }
    problem(create(client, "other", **{"idempotency-key": "once"}), 422, "idempotency_key_reused")
    others = client.post(
        "/notes",
        json={"text": "hello"},
        headers={**signed_in("acme", "usr_bob"), "idempotency-key": "once"},
    )
    assert others.json()["id"] != first.json()["id"]
    for key in ("", "x" * 256):
        problem(create(client, **{"idempotency-key": key}), 400, "invalid_idempotency_key")


def test_no_secret_is_kept_with_the_answer(client: TestClient, rows: Rows) -> None:
    from sqlalchemy import select

    from gateway.store.identity_tables import admin_requests

    create(client, **{"idempotency-key": "kept"})

    async def answers() -> list[bytes]:
        async with rows.database.connect() as connection:
            return [bytes(row.answer) for row in await connection.execute(select(admin_requests))]

    kept = rows.run(answers)
    assert kept
    assert not any(b"s3cret" in answer for answer in kept)


def test_a_refused_creation_sets_its_key_free(client: TestClient) -> None:
    problem(create(client, "bad", **{"idempotency-key": "free"}), 400, "invalid_request")
    assert create(client, **{"idempotency-key": "free"}).status_code == 201


def test_a_creation_is_not_done_beside_itself(client: TestClient, notes: Notes) -> None:
    answers: list[Response] = []
    thread = threading.Thread(
        target=lambda: answers.append(create(client, "slow", **{"idempotency-key": "slow"}))
    )
    thread.start()
    try:
        assert notes.reached.wait(30)
        refused = create(client, "slow", **{"idempotency-key": "slow"})
        problem(refused, 409, "idempotency_key_in_use")
        assert refused.headers["retry-after"] == "1"
    finally:
        notes.released.set()
        thread.join()
    assert answers[0].status_code == 201
    assert create(client, "slow", **{"idempotency-key": "slow"}).json()["id"] == answers[0].json()["id"]


def test_operators_name_the_tenant_that_they_mean(client: TestClient, rows: Rows) -> None:
    rows.tenant("beta")
    operator = signed_in("default", "usr_o")
    made = client.post("/notes?tenant=beta", json={"text": "theirs"}, headers=operator)
    note = made.headers["location"].removeprefix("/admin/api")
    assert client.get(note, headers=signed_in("beta", "usr_b")).json()["text"] == "theirs"
    assert client.get(note, headers={**operator, "x-tenant": "beta"}).status_code == 200
    problem(client.get(note, headers=operator), 404, "not_found")
    problem(client.get(note, headers={**operator, "x-tenant": "none"}), 404, "not_found")
    problem(client.get(f"{note}?tenant=beta", headers=signed_in("acme")), 403, "permission_denied")
    problem(client.get(f"{note}?tenant=a&tenant=b", headers=operator), 400, "invalid_request")
    problem(
        client.get(f"{note}?tenant=beta", headers={**operator, "x-tenant": "acme"}), 400, "invalid_request"
    )


def test_people_act_in_other_tenants_with_the_role_that_they_have_there(
    client: TestClient, rows: Rows
) -> None:
    from gateway.store.identity_tables import memberships, roles

    for tenant, role in (("gamma", "viewer"), ("delta", "clerk"), ("default", "owner")):
        rows.write(memberships, tenant=tenant, user="usr_many", role=role, created_at=0)
    rows.write(
        roles,
        tenant="delta",
        name="clerk",
        description="",
        permissions=["keys.read"],
        created_at=0,
        updated_at=0,
    )

    def status(tenant: str, **kind: str) -> int:
        headers = {**signed_in("acme", "usr_many", "owner"), "x-tenant": tenant, **kind}
        return client.get("/notes/none", headers=headers).status_code

    assert [status(t) for t in ("acme", "gamma", "delta", "beta", "epsilon")] == [404, 403, 404, 403, 403]
    headers = {**signed_in("acme", "usr_many", "viewer"), "x-tenant": "default"}
    assert client.get("/gateway/secret", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"permission": ()}, "needs a permission"),
        ({"permission": "keys.look"}, "there is no permission"),
        ({"permission": ("keys.read", "")}, "there is no permission"),
        ({"path": "notes"}, "paths look like"),
        ({"path": "/notes/"}, "paths look like"),
    ],
)
def test_an_endpoint_that_is_not_guarded_cannot_be_declared(change: dict[str, Any], told: str) -> None:
    usual = {"method": "GET", "path": "/notes", "permission": "keys.read", "summary": "x"}
    declared: dict[str, Any] = {**usual, "handler": Notes().first, **change}
    with pytest.raises(ValueError, match=told):
        Endpoint(**declared)
