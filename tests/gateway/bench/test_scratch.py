from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.bench.scratch import scratch_database
from gateway.errors import GatewayError, Unavailable
from gateway.store import Database
from gateway.store.migrate import upgrade


def test_sqlite_is_put_beside_the_real_one_and_taken_away(tmp_path: Path):
    data, other = tmp_path / "data", tmp_path / "other"
    data.mkdir()
    other.mkdir()
    real = data / "gateway.db"
    real.write_bytes(b"untouched")
    with scratch_database(f"sqlite:///{real}?synchronous=full", other) as url:
        scratch = Database(url)
        assert Path(scratch.path).is_relative_to(data)
        assert scratch.synchronous == "full"
        Path(scratch.path).write_bytes(b"x")
    assert list(data.iterdir()) == [real]
    assert real.read_bytes() == b"untouched"


def test_sqlite_falls_back_to_another_folder(tmp_path: Path):
    with scratch_database(f"sqlite:///{tmp_path}/missing/gateway.db", tmp_path) as url:
        assert Path(Database(url).path).is_relative_to(tmp_path)


async def test_each_kind_gets_a_database_that_is_gone_afterwards(database_url: str, tmp_path: Path):
    def work() -> str:
        with scratch_database(database_url, tmp_path) as url:
            asyncio.run(fill(url))
            return url

    async def fill(url: str) -> None:
        scratch = Database(url)
        await upgrade(scratch)
        await scratch.close()

    url = await asyncio.to_thread(work)
    assert url != database_url
    gone = Database(url)
    with pytest.raises(Unavailable):
        async with gone.connect():
            pass
    await gone.close()


def test_postgres_that_is_away_is_an_error_without_the_password(tmp_path: Path):
    with (
        pytest.raises(GatewayError, match="cannot be reached") as caught,
        scratch_database("postgresql://u:hunter2@127.0.0.1:1/x", tmp_path),
    ):
        pass
    assert "hunter2" not in str(caught.value)
