"""Bring the database's tables up to date.

The core's revisions lie in `gateway/store/migrations`, those of each plugin in a folder of its own, as branches beside
it; `alembic_version` holds one row for each. Whether anything is to be done is found out without importing alembic, so
that a start with nothing to do stays quick.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect, text

from gateway.errors import ConfigError
from gateway.store.database import Database

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from sqlalchemy.engine import Connection

CORE = Path(__file__).parent / "migrations"
"""The core's own revisions."""

_LOCK = 0x6761_7465_7761_79  # "gateway": the advisory lock of those who migrate


async def needs_upgrade(database: Database, extra_locations: Sequence[Path] = ()) -> bool:
    """Whether a revision is missing. Raises `Unavailable` when the database cannot be reached."""
    wanted = heads(extra_locations)
    return not wanted <= await current(database)


async def upgrade(database: Database, extra_locations: Sequence[Path] = ()) -> list[str]:
    """Run the missing revisions in one transaction; return their ids in the order they ran.

    Safe when several processes do it at once: one does the work, the others wait for it.
    """
    async with database.begin() as connection:
        if database.dialect == "postgresql":
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        return await connection.run_sync(_upgrade, extra_locations)


async def current(database: Database) -> frozenset[str]:
    """The revisions the database stands at: none when it is empty, or a file that does not exist."""
    if database.dialect == "sqlite" and not Path(database.path).exists():
        return frozenset()
    async with database.connect() as connection:
        return await connection.run_sync(_current)


def heads(extra_locations: Sequence[Path] = ()) -> frozenset[str]:
    """The revisions the database should stand at. Raises `ConfigError` for a revision file that cannot be read."""
    revisions = [_read_revision(path) for folder in (CORE, *extra_locations) for path in _files(folder)]
    followed = {name for _, before in revisions for name in before}
    return frozenset(revision for revision, _ in revisions) - followed


async def check(database: Database, extra_locations: Sequence[Path] = ()) -> list[str]:
    """What differs between the tables as they are and as the gateway needs them, one line for each difference."""
    missing = sorted(heads(extra_locations) - await current(database))
    if missing:
        return [f"revision {revision} has not run" for revision in missing]
    async with database.connect() as connection:
        return await connection.run_sync(_differences)


def _current(connection: Connection) -> frozenset[str]:
    if not inspect(connection).has_table("alembic_version"):
        return frozenset()
    return frozenset(connection.execute(text("SELECT version_num FROM alembic_version")).scalars())


def _upgrade(connection: Connection, extra_locations: Sequence[Path]) -> list[str]:
    from alembic.operations import Operations  # noqa: PLC0415 - only who upgrades pays for alembic
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415

    script = _script(extra_locations)
    known = {revision.revision for revision in script.walk_revisions()}
    ran: list[str] = []

    def steps(found: tuple[str, ...], _context: MigrationContext) -> Iterable[Any]:
        # Revisions of plugins that this config does not name stay as they are.
        ours = tuple(revision for revision in found if revision in known)
        return script._upgrade_revs("heads", ours)  # pyright: ignore  # noqa: PGH003, SLF001 - as alembic.command does

    def note(*, step: Any, **_: Any) -> None:
        ran.extend(step.up_revision_ids)

    context = MigrationContext.configure(
        connection, opts={"fn": steps, "script": script, "on_version_apply": (note,)}
    )
    with Operations.context(context):
        context.run_migrations()
    return ran


def _script(extra_locations: Sequence[Path]) -> ScriptDirectory:
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - only who upgrades pays for alembic

    locations = [str(folder) for folder in (CORE, *extra_locations)]
    return ScriptDirectory(str(CORE), version_locations=locations)


def _differences(connection: Connection) -> list[str]:
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415 - only who checks pays for alembic
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415

    from gateway.store.tables import metadata  # noqa: PLC0415

    def ours(_object: Any, name: str | None, kind: str, _reflected: bool, _compared: Any) -> bool:
        return kind != "table" or name in metadata.tables

    options: dict[str, Any] = {"compare_type": True, "compare_server_default": True, "include_object": ours}
    context = MigrationContext.configure(connection, opts=options)
    return [repr(difference) for difference in compare_metadata(context, metadata)]


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ConfigError([f"migrations: {folder} is not a folder"])
    return sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")


def _read_revision(path: Path) -> tuple[str, tuple[str, ...]]:
    """The id of a revision file, and the ids it comes after."""
    values = dict(_constants(path))
    revision = values.get("revision")
    if not isinstance(revision, str):
        raise ConfigError([f'migrations: {path} does not say `revision = "…"`'])
    return revision, (*_names(values.get("down_revision")), *_names(values.get("depends_on")))


def _constants(path: Path) -> Iterator[tuple[str, object]]:
    for node in ast.parse(path.read_text(encoding="utf-8"), str(path)).body:
        if isinstance(node, ast.Assign):
            targets: Sequence[ast.expr] = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = (node.target,)
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name) and target.id in {"revision", "down_revision", "depends_on"}:
                yield target.id, ast.literal_eval(node.value) if node.value is not None else None


def _names(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(str(name) for name in value)  # pyright: ignore  # noqa: PGH003
