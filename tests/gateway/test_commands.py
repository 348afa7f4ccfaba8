from __future__ import annotations

import getpass
from pathlib import Path

import pytest
from sqlalchemy import func, select

from gateway.commands import command_actor, run_on
from gateway.store import Database
from gateway.store.tables import model_calls
from gateway_credits.tables import grants

CREDITS = Path(__file__).parents[2] / "plugins" / "gateway_credits" / "migrations"


def database(folder: Path) -> Database:
    return Database(f"sqlite:///{folder}/gateway.db")


def test_a_command_finds_its_tables_and_those_of_the_core_on_a_database_that_has_none(tmp_path: Path) -> None:
    given = database(tmp_path)

    async def count() -> list[int | None]:
        async with given.connect() as connection:
            tables = (model_calls, grants)
            return [await connection.scalar(select(func.count()).select_from(table)) for table in tables]

    assert run_on(given, count, [CREDITS]) == [0, 0]


def test_the_database_is_closed_also_when_the_work_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = database(tmp_path)
    really_close, closed = given.close, list[str]()

    async def close() -> None:
        await really_close()
        closed.append("closed")

    async def fail() -> None:
        raise ValueError("no")

    monkeypatch.setattr(given, "close", close)
    with pytest.raises(ValueError, match="no"):
        run_on(given, fail)
    assert closed == ["closed"]


def test_the_audit_log_names_the_login_or_says_that_it_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "ada")
    assert (command_actor().kind, command_actor().id) == ("command", "ada")

    def unknown() -> str:
        raise OSError("no login")

    monkeypatch.setattr(getpass, "getuser", unknown)
    assert command_actor().id == "unknown"
