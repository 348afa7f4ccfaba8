"""Migrations: from nothing to the tables, with plugins beside the core, from several processes at once."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from gateway.errors import ConfigError
from gateway.store import Database
from gateway.store.migrate import CORE, check, current, heads, needs_upgrade, upgrade
from gateway.store.money_tables import metadata

pytestmark = pytest.mark.usefixtures("by_revisions")

ALL = [f"gateway {number:04}" for number in range(1, 15)]
"""The core's revisions, in their order."""
HEAD = ALL[-1]

PLUGIN = """
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {before!r}
branch_labels = {labels!r}

def upgrade():
    op.create_table("acme_{revision}", sa.Column("id", sa.Integer, primary_key=True))
"""


@pytest.fixture
async def empty(empty_url: str):
    database = Database(empty_url)
    yield database
    await database.close()


def plugin_folder(folder: Path) -> Path:
    folder.mkdir()
    first = PLUGIN.format(revision="acme1", before=None, labels=("acme",))
    second = PLUGIN.format(revision="acme2", before="acme1", labels=None)
    (folder / "acme1_first.py").write_text(first)
    (folder / "acme2_second.py").write_text(second)
    return folder


async def tables_of(database: Database) -> set[str]:
    async with database.connect() as connection:
        return set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))


async def test_from_nothing_to_exactly_the_tables(empty: Database):
    assert await needs_upgrade(empty)
    assert await upgrade(empty) == ALL
    assert not await needs_upgrade(empty)
    assert await tables_of(empty) == {*metadata.tables, "alembic_version"}
    assert await check(empty) == []
    assert await upgrade(empty) == []


async def test_a_difference_is_told(empty: Database):
    assert await check(empty) == [f"{HEAD} has not run"]
    await upgrade(empty)
    async with empty.begin() as connection:
        await connection.execute(text("ALTER TABLE tenants ADD COLUMN surprise INTEGER"))
    (difference,) = await check(empty)
    assert "surprise" in difference


def test_the_heads_are_those_alembic_sees(tmp_path: Path):
    folder = plugin_folder(tmp_path / "acme")
    for place, branch in ((CORE, "gateway"), (folder, "acme")):
        script = ScriptDirectory(str(place), version_locations=[str(place)])
        assert heads([folder])[branch] == set(script.get_heads())


async def test_a_plugin_brings_tables_of_its_own(empty: Database, tmp_path: Path):
    folder = plugin_folder(tmp_path / "acme")
    await upgrade(empty)
    assert await needs_upgrade(empty, [folder])
    assert await upgrade(empty, [folder]) == ["acme acme1", "acme acme2"]
    assert not await needs_upgrade(empty, [folder])
    assert await current(empty, [folder]) == {"gateway": {HEAD.partition(" ")[2]}, "acme": {"acme2"}}
    assert {"acme_acme1", "acme_acme2"} <= await tables_of(empty)
    assert await check(empty, [folder]) == []


async def test_a_plugin_that_left_stands_in_nobodys_way(empty: Database, tmp_path: Path):
    await upgrade(empty, [plugin_folder(tmp_path / "acme")])
    other = tmp_path / "other"
    other.mkdir()
    # Revision ids are a plugin's own affair: the core has this one too.
    (other / "0001.py").write_text(PLUGIN.format(revision="0001", before=None, labels=("other",)))
    assert not await needs_upgrade(empty)
    assert await upgrade(empty, [other]) == ["other 0001"]
    assert not await needs_upgrade(empty, [other])


async def test_a_database_of_a_newer_version_is_left_alone(empty: Database):
    await upgrade(empty)
    async with empty.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match="'gateway' is at revision 9999"):
        await upgrade(empty)


def test_two_folders_may_not_share_a_name(tmp_path: Path):
    first, second = plugin_folder(tmp_path / "first"), plugin_folder(tmp_path / "second")
    with pytest.raises(ConfigError, match="second calls its branch 'acme'"):
        heads([first, second])


def test_a_folder_without_a_name_is_told_how_to_give_one(tmp_path: Path):
    (tmp_path / "x.py").write_text(PLUGIN.format(revision="x", before=None, labels=None))
    with pytest.raises(ConfigError, match=r'branch_labels = \("name",\)'):
        heads([tmp_path])


@pytest.mark.parametrize("content", ["revision = 1", "x = 2", ""])
def test_a_file_that_is_no_revision_is_named(tmp_path: Path, content: str):
    (tmp_path / "odd.py").write_text(content)
    with pytest.raises(ConfigError, match=r"odd\.py"):
        heads([tmp_path])
    with pytest.raises(ConfigError, match="not a folder"):
        heads([tmp_path / "missing"])


async def test_several_processes_may_do_it_at_once(empty_url: str):
    program = (
        "import asyncio, sys\n"
        "from gateway.store import Database\n"
        "from gateway.store.migrate import upgrade\n"
        "async def main():\n"
        "    database = Database(sys.argv[1])\n"
        "    print(*await upgrade(database))\n"
        "    await database.close()\n"
        "asyncio.run(main())\n"
    )
    running = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-W", "error", "-c", program, empty_url, stdout=subprocess.PIPE
        )
        for _ in range(4)
    ]
    printed = [(await process.communicate())[0].strip() for process in running]
    assert [process.returncode for process in running] == [0, 0, 0, 0]
    assert sorted(printed) == [b"", b"", b"", " ".join(ALL).encode()]


def test_a_start_with_nothing_to_do_does_not_import_alembic(tmp_path: Path):
    program = (
        "import asyncio, sys\n"
        "from gateway.store import Database\n"
        "from gateway.store.migrate import needs_upgrade\n"
        "async def main():\n"
        "    database = Database(sys.argv[1])\n"
        "    assert not await needs_upgrade(database)\n"
        "    await database.close()\n"
        "asyncio.run(main())\n"
        "assert 'alembic' not in sys.modules\n"
    )
    url = f"sqlite:///{tmp_path / 'x.db'}"

    async def prepare() -> None:
        database = Database(url)
        await upgrade(database)
        await database.close()

    asyncio.run(prepare())
    subprocess.run([sys.executable, "-c", program, url], check=True)
