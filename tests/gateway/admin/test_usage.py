"""Usage in the admin API: sums, groups, time zones."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from starlette.testclient import TestClient

from .people import signed_in
from .rows import Rows

READER = signed_in("acme", "usr_ann", "billing")
QUARTER = 900


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.fixture(scope="module")
def key(rows: Rows) -> str:
    """The id of a key; buckets are filled around it."""
    rows.tenant("acme")
    key = rows.key("acme", name="laptop")
    rows.bucket("acme", at("2025-06-16 14:45"), key=key, calls=2, cost=500)
    rows.bucket("acme", at("2025-06-16 15:00"), key=key, model="b", calls=3, failed=1)
    rows.bucket("acme", at("2025-06-16 23:45"), calls=5, provider="openai")
    rows.bucket("acme", at("2025-06-17 00:00"), calls=7)
    rows.bucket("beta", at("2025-06-16 15:00"), calls=100)
    return key


def usage(client: TestClient, query: str, range: str = "since=2025-06-16&until=2025-06-18") -> dict[str, Any]:
    answer = client.get(f"/usage?{range}&{query}", headers=READER)
    assert answer.status_code == 200, answer.text
    return answer.json()


def groups(
    client: TestClient, query: str, *names: str, range: str = "since=2025-06-16&until=2025-06-18"
) -> list[tuple[object, ...]]:
    data = usage(client, query, range)["data"]
    return [tuple(row[name] for name in (*names, "calls")) for row in data]


def test_the_total(client: TestClient, key: str) -> None:
    told = usage(client, "")
    assert (told["since"], told["until"]) == ("2025-06-16T00:00:00Z", "2025-06-18T00:00:00Z")
    assert (told["data"], told["next_cursor"]) == ([], None)
    assert told["total"] == {
        "calls": 17,
        "failed": 1,
        "prompt_tokens": 40,
        "completion_tokens": 80,
        "cached_read_tokens": 0,
        "cached_write_tokens": 0,
        "reasoning_tokens": 0,
        "cost": 3.5e-6,
        "cost_nano": 3500,
    }
    nothing = usage(client, "group=model", "since=2020-01-01&until=2020-01-02")
    assert nothing["total"] == dict.fromkeys(
        [
            "calls",
            "failed",
            "prompt_tokens",
            "completion_tokens",
            "cached_read_tokens",
            "cached_write_tokens",
            "reasoning_tokens",
            "cost",
            "cost_nano",
        ],
        0,
    )


def test_groups(client: TestClient, key: str) -> None:
    assert groups(client, "group=model", "model") == [("b", 3), ("mock/fast", 14)]
    assert groups(client, "group=provider", "provider") == [("mock", 12), ("openai", 5)]
    assert groups(client, "group=key", "key", "key_name") == [("", None, 12), (key, "laptop", 5)]
    assert groups(client, "group=day", "day") == [("2025-06-16", 10), ("2025-06-17", 7)]
    assert groups(client, "group=hour", "hour") == [
        ("2025-06-16T14:00:00Z", 2),
        ("2025-06-16T15:00:00Z", 3),
        ("2025-06-16T23:00:00Z", 5),
        ("2025-06-17T00:00:00Z", 7),
    ]
    assert groups(client, "group=day&group=provider", "day", "provider") == [
        ("2025-06-16", "mock", 5),
        ("2025-06-16", "openai", 5),
        ("2025-06-17", "mock", 7),
    ]


def test_filters(client: TestClient, key: str) -> None:
    assert groups(client, f"group=model&key={key}", "model") == [("b", 3), ("mock/fast", 2)]
    assert groups(client, "group=day&provider=openai", "day") == [("2025-06-16", 5)]
    assert usage(client, "model=b")["total"] == usage(client, f"model=b&key={key}")["total"]


@pytest.mark.parametrize(
    ("zone", "days"),
    [
        ("Asia/Tokyo", [("2025-06-16", 2), ("2025-06-17", 15)]),  # its day begins at 15:00 UTC
        ("Asia/Kathmandu", [("2025-06-16", 5), ("2025-06-17", 12)]),  # at 18:15 UTC
        ("America/New_York", [("2025-06-16", 17)]),
    ],
)
def test_days_are_those_of_the_time_zone(
    client: TestClient, key: str, zone: str, days: list[tuple[object, ...]]
) -> None:
    assert groups(client, f"group=day&time_zone={zone}", "day") == days


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "Asia/Kolkata", "Asia/Kathmandu", "Europe/Berlin"])
@pytest.mark.parametrize("day", ["2025-03-30", "2025-10-26"])
def test_every_quarter_of_an_hour_is_in_its_day_and_hour(
    client: TestClient, rows: Rows, zone: str, day: str
) -> None:
    """On the days on which clocks change, too: each bucket is counted where the zone's own calendar has it."""
    tenant = f"{zone}-{day}"
    first = int(at(day)) - 86_400
    expected: dict[str, dict[str, int]] = {"day": {}, "hour": {}}
    for number in range(0, 3 * 96, 7):
        moment = first + number * QUARTER
        rows.bucket(tenant, moment, calls=1)
        local = datetime.fromtimestamp(moment, ZoneInfo(zone))
        hour = moment - (moment + int(local.utcoffset().total_seconds())) % 3600  # pyright: ignore[reportOptionalMemberAccess] - it has one
        for group, name in (
            ("day", local.date().isoformat()),
            ("hour", datetime.fromtimestamp(hour, UTC).isoformat().replace("+00:00", "Z")),
        ):
            expected[group][name] = expected[group].get(name, 0) + 1
    for group, counted in expected.items():
        query = f"since={first}&until={first + 3 * 86_400}&group={group}&time_zone={zone}&limit=1000"
        answer = client.get(f"/usage?{query}", headers=signed_in(tenant, "usr_x", "owner")).json()
        assert {row[group]: row["calls"] for row in answer["data"]} == counted
        assert answer["total"]["calls"] == sum(counted.values())


def test_pages(client: TestClient, key: str) -> None:
    query, seen = "group=hour&group=model&limit=1", list[Any]()
    cursor = ""
    while True:
        told = usage(client, query + cursor)
        seen += told["data"]
        if told["next_cursor"] is None:
            break
        cursor = f"&cursor={told['next_cursor']}"
    assert seen == usage(client, "group=hour&group=model")["data"]
    assert len(seen) == 4


def test_what_cannot_be_meant_is_refused(client: TestClient, key: str) -> None:
    cursor = usage(client, "group=hour&limit=1")["next_cursor"]
    for query, status in (
        (f"group=model&cursor={cursor}", 400),
        ("time_zone=Asia/Nowhere", 400),
        ("time_zone=../../etc/passwd", 400),
        ("time_zone=", 400),
        ("since=2025-01-02&until=2025-01-01", 400),
        ("since=2000-01-01&until=2020-01-01", 400),
        ("since=0001-01-01T00:00:00Z", 400),
        ("since=1e300", 422),
        ("group=tenant", 422),
    ):
        answer = client.get(f"/usage?{query}", headers=READER)
        assert answer.status_code == status, (query, answer.text)
        assert answer.json()["errors"]
