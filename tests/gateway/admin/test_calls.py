"""Calls in the admin API: filters, whose calls are seen, and the export."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from gateway.admin import call_csv
from gateway.admin.call_csv import COLUMNS
from gateway.store.calls import as_cell

from .people import signed_in
from .rows import NOON, Rows

READER = signed_in("acme", "usr_ann", "viewer")


@pytest.fixture(scope="module")
def ids(rows: Rows) -> dict[str, str]:
    """Calls by what is special about them, the oldest first."""
    rows.tenant("acme")
    own = rows.key("acme", owner="usr_bob", name="bob's")
    return {
        "old": rows.call("acme", NOON - 86_400),
        "failed": rows.call(
            "acme", NOON, status="failed", error_code="rate_limit_exceeded", error_message="100% too MANY"
        ),
        "cancelled": rows.call("acme", NOON + 1, status="cancelled", capability="embedding"),
        "other_model": rows.call("acme", NOON + 2, model="fast", upstream_model="gpt-x", provider="openai"),
        "of_ann": rows.call("acme", NOON + 3, user="usr_ann"),
        "of_bobs_key": rows.call("acme", NOON + 4, key=own, key_name="bob's"),
        "of_bob": rows.call(
            "acme",
            NOON + 5,
            user="usr_bob",
            cost=1_234_567_890,
            client_request_id="a_b",
            units='{"searches":2}',
        ),
        "of_others": rows.call("beta", NOON + 6, user="usr_ann"),
    }


def found(client: TestClient, ids: dict[str, str], query: str, headers: dict[str, str] = READER) -> list[str]:
    names = {value: name for name, value in ids.items()}
    answer = client.get(f"/calls?{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    return [names[row["id"]] for row in answer.json()["data"]]


EVERYTHING = ["of_bob", "of_bobs_key", "of_ann", "other_model", "cancelled", "failed", "old"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", EVERYTHING),
        (f"since={NOON}", EVERYTHING[:-1]),
        ("since=2025-06-16T12:00:00Z", EVERYTHING[:-1]),
        ("since=2025-06-16T21:00:00+09:00", EVERYTHING[:-1]),
        ("since=2025-06-16T12:00:00", EVERYTHING[:-1]),
        (f"until={NOON}", ["old"]),
        (f"since={NOON}&until={NOON + 2}", ["cancelled", "failed"]),
        ("status=failed", ["failed"]),
        ("status=failed&status=cancelled", ["cancelled", "failed"]),
        ("model=gpt-x", ["other_model"]),
        ("model=fast&provider=openai", ["other_model"]),
        ("provider=openai", ["other_model"]),
        ("capability=embedding", ["cancelled"]),
        ("key=bob%27s", ["of_bobs_key"]),
        ("user=usr_ann", ["of_ann"]),
        ("search=too%20many", ["failed"]),
        ("search=100%25", ["failed"]),
        ("search=a_b", ["of_bob"]),
        ("search=%25", ["failed"]),  # a wildcard of LIKE is a character like others
        ("user=nobody", []),
        ("limit=2", ["of_bob", "of_bobs_key"]),
    ],
)
def test_filters(client: TestClient, ids: dict[str, str], query: str, expected: list[str]) -> None:
    assert found(client, ids, query) == expected


def test_pages(client: TestClient, ids: dict[str, str]) -> None:
    seen: list[str] = []
    query = "limit=3"
    while True:
        answer = client.get(f"/calls?{query}", headers=READER).json()
        seen += [row["id"] for row in answer["data"]]
        if answer["next_cursor"] is None:
            break
        query = f"limit=3&cursor={answer['next_cursor']}"
    assert seen == [ids[name] for name in EVERYTHING]


def test_one_call(client: TestClient, ids: dict[str, str]) -> None:
    shown = client.get(f"/calls/{ids['of_bob']}", headers=READER).json()
    assert shown["units"] == {"searches": 2}
    assert (shown["cost"], shown["cost_nano"]) == (1.23456789, 1_234_567_890)
    assert (shown["duration_ms"], shown["received_at"]) == (1500.0, "2025-06-16T12:00:05Z")
    assert client.get(f"/calls/{ids['failed']}", headers=READER).json()["error"] == {
        "code": "rate_limit_exceeded",
        "message": "100% too MANY",
    }
    assert client.get(f"/calls/{ids['of_others']}", headers=READER).status_code == 404


def test_a_member_sees_their_own_calls_alone(client: TestClient, ids: dict[str, str]) -> None:
    bob = signed_in("acme", "usr_bob", "member")
    assert found(client, ids, "", bob) == ["of_bob", "of_bobs_key"]
    assert found(client, ids, "user=usr_ann", bob) == []
    assert client.get(f"/calls/{ids['of_bobs_key']}", headers=bob).status_code == 200
    assert client.get(f"/calls/{ids['of_ann']}", headers=bob).status_code == 404
    assert client.get("/calls/export", headers=bob).status_code == 403
    exporter = signed_in("acme", "usr_bob", "member", "calls.export")
    exported = read(client.get("/calls/export", headers=exporter).text)
    assert [row["id"] for row in exported] == [ids["of_bob"], ids["of_bobs_key"]]
    # To export is a permission beside that to see.
    assert (
        client.get("/calls/export", headers=signed_in("acme", "usr_bob", "calls.export")).status_code == 403
    )


def test_nobody_with_billing_alone_sees_calls(client: TestClient) -> None:
    assert client.get("/calls", headers=signed_in("acme", "usr_x", "billing")).status_code == 403


def read(text: str) -> list[dict[str, str]]:
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def test_the_export_holds_what_the_list_holds(
    client: TestClient, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_csv, "_AT_ONCE", 3)
    owner = signed_in("acme", "usr_ann", "owner")
    answer = client.get("/calls/export", headers=owner)
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="calls.csv"'
    assert answer.headers["x-row-limit-reached"] == "false"
    rows = read(answer.text)
    assert [row["id"] for row in rows] == [ids[name] for name in EVERYTHING]
    assert set(rows[0]) == set(COLUMNS)
    assert rows[0]["cost"] == "1.23456789"
    filtered = client.get("/calls/export?status=failed", headers=owner)
    assert [row["id"] for row in read(filtered.text)] == [ids["failed"]]


@pytest.mark.parametrize(("most", "cut"), [(6, True), (7, False)])
def test_the_export_says_when_there_is_more(
    client: TestClient, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch, most: int, cut: bool
) -> None:
    monkeypatch.setattr(call_csv, "MOST_ROWS", most)
    monkeypatch.setattr(call_csv, "_AT_ONCE", 4)
    answer = client.get("/calls/export", headers=signed_in("acme", "usr_ann", "owner"))
    assert answer.headers["x-row-limit-reached"] == str(cut).lower()
    rows = read(answer.text)
    assert [row["id"] for row in rows[:most]] == [ids[name] for name in EVERYTHING[:most]]
    assert (len(rows), "more than 6" in answer.text) == (7, cut)


def test_the_export_is_safe_in_a_spreadsheet(client: TestClient, rows: Rows) -> None:
    hostile = '=HYPERLINK("http://x","y")\r\n+1,"'
    rows.call("sheet", key_name=hostile, model="@SUM(1)", user="-1", error_message="\t=1", error_code="＝1")  # noqa: RUF001
    (row,) = read(client.get("/calls/export", headers=signed_in("sheet", "usr_ann", "owner")).text)
    assert row["key_name"] == f"'{hostile}"
    for name in ("model", "user", "error_message", "error_code"):
        assert row[name].startswith("'"), row[name]


@given(st.text(max_size=8) | st.integers() | st.none())
def test_no_cell_begins_a_formula(value: Any) -> None:
    cell = as_cell(value)
    if isinstance(cell, str):
        assert cell.lstrip(" ")[:1] not in {*"=+-@\t\r\n", "＝", "＋", "－", "＠"}  # noqa: RUF001
        assert cell.removeprefix("'") == value.removeprefix("'") or cell == value
    else:
        assert cell == value
