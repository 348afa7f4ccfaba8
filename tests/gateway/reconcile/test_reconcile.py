"""The ledger beside golden exports: whatever differs is found, with its calls, and nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from gateway.errors import GatewayError
from gateway.ledger import Ledger
from gateway.reconcile import Difference, Question, Tolerance, read, reconcile
from gateway.store import Database
from gateway.store.tables import price_adjustments
from gateway.types import Call, Outcome, Usage

EXPORTS = Path(__file__).parent / "exports"

Record = Callable[..., Awaitable[str]]


def at(text: str) -> float:
    return datetime.fromisoformat(f"2026-11-{text}+00:00").timestamp()


@pytest.fixture
def record(sqlite: Database, make_call: Callable[..., Call], make_outcome: Callable[..., Outcome]) -> Record:
    """Write a call into the ledger as it is when it has ended; give its id."""
    return recording(sqlite, make_call, make_outcome)


def recording(
    database: Database, make_call: Callable[..., Call], make_outcome: Callable[..., Outcome]
) -> Record:
    async def record(time: str, model: str, prompt: int, completion: int, **more: Any) -> str:
        received = at(time)
        usage = Usage(prompt_tokens=prompt, completion_tokens=completion, **more.pop("usage", {}))
        about = {name: more.pop(name) for name in ("client_request_id", "capability") if name in more}
        call = make_call(received_at=received, **about)
        call = make_call(id=f"call_{int(received * 1000):012x}{call.id[12:]}", received_at=received, **about)
        outcome = make_outcome(
            **{"provider": "p", "upstream_model": model, "usage": usage, "cost": 0, **more}
        )
        ledger = Ledger(database, durability="settle")
        await ledger.start()
        await ledger.close(call, outcome)
        await ledger.stop()
        return call.id

    return record


def told(differences: list[Difference]) -> list[tuple[Any, ...]]:
    return [(each.day, each.model, each.measure, each.ledger, each.provider) for each in differences]


async def compare(database: Database, *names: str, **more: Any) -> list[Difference]:
    exports = read([EXPORTS / name for name in names], None, more.pop("names", {}))
    result = await reconcile(database, exports, Question(provider="p", **more))
    return list(result.differences)


async def test_a_ledger_that_agrees_has_no_differences(
    database: Database, make_call: Callable[..., Call], make_outcome: Callable[..., Outcome]
) -> None:
    record = recording(database, make_call, make_outcome)
    for hour in ("00:00", "12:00", "23:59"):
        cached = {"cached_read_tokens": 10}
        await record(f"01T{hour}", "gpt-5-mini", 100, 20, cost=65_000, usage=cached)
    await record("01T10:00", "gpt-5-2025-08-07", 1000, 500, cost=6_250_000, capability="responses")
    await record("01T10:00", "text-embedding-3-small", 1000, 0, capability="embedding", provider="other")
    await record("01T10:00", "gpt-5", 9, 9, provider="other")
    await record("01T10:00", "gpt-5", 9, 9, capability="tokens")
    await record("03T00:00", "gpt-5", 9, 9)
    assert await compare(database, "openai_completions.json", "openai_costs.json") == []


async def test_each_difference_is_told_with_the_calls_most_likely_at_fault(
    sqlite: Database, record: Record
) -> None:
    await record("01T01:00", "gpt-5-mini", 100, 20, usage={"cached_read_tokens": 10})
    broken = await record(
        "01T02:00", "gpt-5-mini", 100, 15, status="cancelled", usage={"cached_read_tokens": 10}
    )
    guessed = await record(
        "01T03:00", "gpt-5-mini", 90, 20, usage={"cached_read_tokens": 10, "estimated": True}
    )
    stray = await record("02T00:00", "gpt-5", 1, 2)
    differences = await compare(sqlite, "openai_completions.json", calls=2, tolerance=Tolerance(Decimal(5)))
    big = ("2026-11-01", "gpt-5-2025-08-07")
    small = ("2026-11-01", "gpt-5-mini")
    assert told(differences) == [
        (*big, "calls", 0, 1),
        (*big, "prompt_tokens", 0, 1000),
        (*big, "completion_tokens", 0, 500),
        (*small, "prompt_tokens", 290, 300),
        (*small, "completion_tokens", 55, 60),
        ("2026-11-02", "gpt-5", "calls", 1, 0),
        ("2026-11-02", "gpt-5", "prompt_tokens", 1, 0),
        ("2026-11-02", "gpt-5", "completion_tokens", 2, 0),
    ]
    assert [each.beyond for each in differences] == [True, True, True, False, True, True, True, True]
    assert differences[0].calls == ()
    assert differences[3].calls == (guessed, broken)
    assert differences[5].calls == (stray,)


async def test_costs_are_compared_as_they_were_adjusted(sqlite: Database, record: Record) -> None:
    call = await record("01T01:00", "claude-sonnet-4-5", 3200, 500, cost=4_000_000)
    assert ("2026-11-01", "claude-sonnet-4-5", "cost", 4_000_000, 4_500_000) in told(
        await compare(sqlite, "anthropic_cost.json")
    )
    values = {"tenant": "acme", "model": "m", "received_at": at("01T01:00"), "reason": "a newer price"}
    async with sqlite.begin() as connection:
        await connection.execute(
            insert(price_adjustments).values(
                call=call, number=1, cost=500_000, charge=0, created_at=0.0, revision=1, **values
            )
        )
    differences = await compare(sqlite, "anthropic_cost.json")
    assert told(differences) == [("2026-11-01", "web_search", "cost", 0, 100_000_000)]


async def test_anthropic_usage_agrees_with_the_ledgers_way_to_count(sqlite: Database, record: Record) -> None:
    cached = {"cached_read_tokens": 200, "cached_write_tokens": 1500}
    await record("01T01:00", "claude-sonnet-4-5", 3200, 500, usage=cached)
    assert await compare(sqlite, "anthropic_usage.json") == []


async def test_requests_are_compared_one_by_one(sqlite: Database, record: Record) -> None:
    await record("01T08:00", "m-1", 100, 20, client_request_id="req-a", cost=100_000)
    differing = await record("01T09:00:03", "m-1", 100, 20, client_request_id="req-b", cost=100_000)
    await record("02T00:00:02", "m-1", 1, 1, client_request_id="req-late")
    untold = await record("01T10:00", "m-1", 5, 5)
    names = {"time": "created", "model": "engine", "request": "id"}
    names |= {"prompt_tokens": "in", "completion_tokens": "out", "cost": "usd"}
    differences = await compare(sqlite, "requests.csv", names=names)
    found = [(each.request, each.measure, each.ledger, each.provider, each.calls) for each in differences]
    assert found == [
        ("req-b", "completion_tokens", 20, 25, (differing,)),
        ("req-nobody", "calls", 0, 1, ()),
        (None, "calls", 1, 0, (untold,)),
    ]


async def test_units_and_aliases(sqlite: Database, record: Record, tmp_path: Path) -> None:
    await record("01T01:00", "painter", 0, 0, capability="image", usage={"images": 2})
    await record("01T02:00", "painter", 0, 0, capability="image", usage={"images": 1})
    (tmp_path / "images.csv").write_text("time,model,calls,images\n2026-11-01,Our Painter,2,4\n")
    exports = read([tmp_path / "images.csv"], "csv", {})
    result = await reconcile(sqlite, exports, Question(provider="p", aliases={"Our Painter": "painter"}))
    assert told(list(result.differences)) == [("2026-11-01", "painter", "images", 3, 4)]
    assert (result.days, result.figures) == (1, 2)


async def test_an_export_without_models_is_compared_as_a_whole(
    sqlite: Database, record: Record, tmp_path: Path
) -> None:
    await record("01T01:00", "a", 1, 2, cost=1_000)
    await record("01T01:00", "b", 1, 2, cost=2_000)
    (tmp_path / "costs.csv").write_text("time,cost\n2026-11-01,0.000004\n")
    result = await reconcile(sqlite, read([tmp_path / "costs.csv"], "csv", {}), Question(provider="p"))
    assert told(list(result.differences)) == [("2026-11-01", "*", "cost", 3_000, 4_000)]


async def test_since_and_until_choose_whole_buckets(sqlite: Database) -> None:
    differences = await compare(sqlite, "openai_completions.json", since=at("02T00:00"))
    assert differences == []
    with pytest.raises(GatewayError, match="one figure for all of 2026-11-01"):
        await compare(sqlite, "openai_completions.json", since=at("01T12:00"))
    with pytest.raises(GatewayError, match="tell nothing of that time"):
        await compare(sqlite, "openai_completions.json", since=at("09T00:00"))
