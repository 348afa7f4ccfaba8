"""Bring the database's tables up to date.

The core's revisions lie in `gateway/store/migrations`, those of each plugin in a folder of its own. Each folder is a
branch, named by the `branch_labels` of its first revision, and stands on its own: it keeps its place in a version table
of its own, so that a plugin may come and go without regard to the others.

Whether anything is to be done is found out without importing alembic, so that a start with nothing to do stays quick.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from msgspec import Struct
from sqlalchemy import inspect, text

from gateway.errors import ConfigError
from gateway.store.database import Database

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy.engine import Connection

CORE = Path(__file__).parent / "migrations"
"""The core's own revisions: the branch `gateway`."""

_LOCK = 0x6761_7465_7761_79  # "gateway": the advisory lock of those who migrate
_FUNCTION = re.compile(r"^(?:@|def |async def |class )", re.MULTILINE)
_SAID = frozenset({"revision", "down_revision", "branch_labels"})


class _Branch(Struct, frozen=True):
    label: str
    folder: Path
    revisions: frozenset[str]
    heads: frozenset[str]

    @property
    def table(self) -> str:
        return "alembic_version" if self.folder == CORE else f"alembic_version_{self.label}"


async def needs_upgrade(database: Database, extra_locations: Sequence[Path] = ()) -> bool:
    """Whether a revision is missing. Raises `Unavailable` when the database cannot be reached."""
    branches = _branches(extra_locations)
    found = await _found(database, branches)
    return any(not branch.heads <= found[branch.label] for branch in branches)


async def upgrade(database: Database, extra_locations: Sequence[Path] = ()) -> list[str]:
    """Run the missing revisions in one transaction; return them as `branch revision`, in the order they ran.

    Safe when several processes do it at once: one does the work, the others wait for it. Raises `ConfigError` when the
    database has been upgraded by a newer version.
    """
    branches = _branches(extra_locations)
    async with database.begin() as connection:
        if database.dialect == "postgresql":
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        return await connection.run_sync(_upgrade, branches)


async def current(database: Database, extra_locations: Sequence[Path] = ()) -> Mapping[str, frozenset[str]]:
    """The revisions each branch stands at: none when its tables were never made."""
    return await _found(database, _branches(extra_locations))


def heads(extra_locations: Sequence[Path] = ()) -> Mapping[str, frozenset[str]]:
    """The revisions each branch should stand at. Raises `ConfigError` for revision files that cannot be read."""
    return {branch.label: branch.heads for branch in _branches(extra_locations)}


async def check(database: Database, extra_locations: Sequence[Path] = ()) -> list[str]:
    """What differs between the tables as they are and as the gateway needs them, one line for each difference."""
    found = await current(database, extra_locations)
    missing = [
        f"{label} {revision} has not run"
        for label, revisions in heads(extra_locations).items()
        for revision in sorted(revisions - found[label])
    ]
    if missing:
        return missing
    async with database.connect() as connection:
        return await connection.run_sync(_differences)


async def _found(database: Database, branches: Sequence[_Branch]) -> Mapping[str, frozenset[str]]:
    if _is_missing(database):
        return {branch.label: frozenset() for branch in branches}
    async with database.connect() as connection:
        return await connection.run_sync(_current, branches)


def _is_missing(database: Database) -> bool:
    """Whether to look would be to create it."""
    return database.dialect == "sqlite" and not Path(database.path).exists()


def _current(connection: Connection, branches: Sequence[_Branch]) -> dict[str, frozenset[str]]:
    tables = set(inspect(connection).get_table_names())
    return {branch.label: _standing(connection, branch, tables) for branch in branches}


def _standing(connection: Connection, branch: _Branch, tables: set[str]) -> frozenset[str]:
    if branch.table not in tables:
        return frozenset()
    return frozenset(connection.execute(text(f"SELECT version_num FROM {branch.table}")).scalars())  # noqa: S608 - a checked name


def _upgrade(connection: Connection, branches: Sequence[_Branch]) -> list[str]:
    found = _current(connection, branches)
    ran: list[str] = []
    for branch in branches:
        unknown = found[branch.label] - branch.revisions
        if unknown:
            revisions = ", ".join(sorted(unknown))
            problem = (
                f"database: '{branch.label}' is at revision {revisions}, which this version does not know"
            )
            raise ConfigError([f"{problem}: a newer one upgraded it, so run that one"])
        if not branch.heads <= found[branch.label]:
            ran += _upgrade_branch(connection, branch)
    return ran


def _upgrade_branch(connection: Connection, branch: _Branch) -> list[str]:
    from alembic.operations import Operations  # noqa: PLC0415 - only who upgrades pays for alembic
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    script = ScriptDirectory(str(branch.folder), version_locations=[str(branch.folder)])
    ran: list[str] = []

    def steps(standing: tuple[str, ...], _context: MigrationContext) -> Iterable[Any]:
        return script._upgrade_revs("heads", cast("Any", standing))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - as `alembic upgrade` does

    def note(*, step: Any, **_: Any) -> None:
        ran.extend(f"{branch.label} {revision}" for revision in step.up_revision_ids)

    options: dict[str, Any] = {
        "fn": steps,
        "script": script,
        "on_version_apply": (note,),
        "version_table": branch.table,
    }
    context = MigrationContext.configure(connection, opts=options)
    with Operations.context(context):
        context.run_migrations()
    return ran


def _differences(connection: Connection) -> list[str]:
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415 - only who checks pays for alembic
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415

    from gateway.store.money_tables import metadata  # noqa: PLC0415 - the last module to add tables to it

    def ours(_object: Any, name: str | None, kind: str, _reflected: bool, _compared: Any) -> bool:
        return kind != "table" or name in metadata.tables

    options: dict[str, Any] = {"compare_type": True, "compare_server_default": True, "include_object": ours}
    context = MigrationContext.configure(connection, opts=options)
    return [repr(difference) for difference in compare_metadata(context, metadata)]


def _branches(extra_locations: Sequence[Path]) -> list[_Branch]:
    """The core's branch, then the plugins'."""
    branches = [_read_branch(folder) for folder in (CORE, *extra_locations)]
    labels = [branch.label for branch in branches]
    problems = [
        f"migrations: {branch.folder} calls its branch '{branch.label}', as another one does"
        for place, branch in enumerate(branches)
        if branch.label in labels[:place]
    ]
    if problems:
        raise ConfigError(problems)
    return branches


def _read_branch(folder: Path) -> _Branch:
    if not folder.is_dir():
        raise ConfigError([f"migrations: {folder} is not a folder"])
    revisions: set[str] = set()
    followed: set[str] = set()
    labels: list[str] = []
    for path in sorted(folder.glob("*.py")):
        if path.name == "__init__.py":
            continue
        said = dict(_constants(path))
        revision = said.get("revision")
        if not isinstance(revision, str):
            raise ConfigError([f'migrations: {path} does not say `revision = "…"`'])
        revisions.add(revision)
        followed.update(_names(said.get("down_revision")))
        labels += _names(said.get("branch_labels"))
    if len(labels) != 1 or not re.fullmatch("[a-z][a-z0-9_]*", labels[0]):
        raise ConfigError(
            [
                f'migrations: the first revision in {folder} must say `branch_labels = ("name",)`, in small letters'
            ]
        )
    return _Branch(labels[0], folder, frozenset(revisions), frozenset(revisions - followed))


def _constants(path: Path) -> Iterator[tuple[str, object]]:
    """What a revision file says of itself before its first function, without running it."""
    head = _FUNCTION.split(path.read_text(encoding="utf-8"), maxsplit=1)[0]
    for node in ast.parse(head, str(path)).body:
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets, value = [node.target], node.value
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name) and target.id in _SAID:
                yield target.id, ast.literal_eval(value)


def _names(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(cast("Iterable[str]", value))
