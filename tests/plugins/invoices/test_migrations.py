"""Invoices of before what is open was kept: what is still to be paid of them, less what was credited."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gateway.store import Database
from gateway.store.migrate import upgrade
from gateway_invoices.plugin import MIGRATIONS

from ... import scratch


@pytest.fixture(params=scratch.KINDS)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of each kind without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'old.db'}"
    else:
        with scratch.empty_postgres() as url:
            yield url


async def test_what_is_open_is_worked_out(empty_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "before"
    folder.mkdir()
    for name in ("invoices1_first.py", "invoices2_runs.py", "invoices3_outcomes.py"):
        shutil.copy(MIGRATIONS / name, folder)
    database = Database(empty_url)
    await upgrade(database, [folder])
    invoices: list[tuple[str, str, str, str | None, int]] = [
        ("a", "invoice", "issued", None, 119),
        ("b", "credit_note", "issued", "a", -19),
        ("c", "invoice", "paid", None, 50),
        ("d", "credit_note", "issued", "c", -50),
        ("e", "invoice", "issued", None, 0),
        ("f", "invoice", "draft", None, 70),
    ]
    row = text(
        'INSERT INTO invoices (id, tenant, entity, kind, status, "of", period_start, period_end, currency, total,'
        " document, created_at, issued_at, revision)"
        " VALUES (:id, 't', 'main', :kind, :status, :of, 0, 1, 'EUR', :total, :document, 0, 5, 1)"
    )
    async with database.begin() as connection:
        for id_, kind, status, of, total in invoices:
            values: dict[str, Any] = {"id": id_, "kind": kind, "status": status, "of": of, "total": total}
            await connection.execute(row, {**values, "document": b"{}"})
    await upgrade(database, [MIGRATIONS])
    async with database.connect() as connection:
        found = await connection.execute(text("SELECT id, status, open FROM invoices ORDER BY id"))
        assert [tuple(row) for row in found] == [
            ("a", "issued", 100),
            ("b", "paid", 0),
            ("c", "paid", 0),
            ("d", "paid", 0),
            ("e", "paid", 0),
            ("f", "draft", 0),
        ]
    await database.close()
