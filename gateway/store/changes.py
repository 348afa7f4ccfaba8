"""Revisions: every change of a table counts one number up, so that all workers see cheaply that something changed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, TypeAlias

from gateway.errors import InvalidRequest
from gateway.store.revisions import Revisions
from gateway.store.tables import revisions
from gateway.store.upsert import insert_into

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.database import Database

log = logging.getLogger("gateway.changes")

POLL_SECONDS = 0.4
"""A change made elsewhere is seen after this time and one query: within a second."""

Refresh: TypeAlias = Callable[[int], Awaitable[None]]
"""Reads what changed; gets the table's present revision. What it raises is logged, and it is called again."""

Expected: TypeAlias = Collection[int] | None
"""The revisions of which a row must have one for a change to be made; None for whichever it has."""


def check_expected(expected: Expected, found: int) -> None:
    """Compare after `bump`, in the same transaction. Raises `InvalidRequest` (412) when the row has moved on."""
    if expected is not None and found not in expected:
        raise InvalidRequest(
            "This was changed in the meantime. Read it again, and change what you then see.",
            status=412,
            code="revision_mismatch",
        )


async def bump(connection: AsyncConnection, name: str) -> int:
    """Count a revision up and return it.

    First in each transaction that changes the table: its row lock puts all changes in one order, so whoever has seen
    a revision has seen everything before it.
    """
    statement = (
        insert_into(connection, revisions)
        .values(name=name, value=1)
        .on_conflict_do_update(index_elements=[revisions.c.name], set_={"value": revisions.c.value + 1})
        .returning(revisions.c.value)
    )
    return (await connection.execute(statement)).scalar_one()


class Changes:
    """Watches revisions for all who hold rows in memory: one look for everybody, every 0.4 s."""

    def __init__(self, database: Database) -> None:
        self._revisions = Revisions(database)
        self._watchers: dict[str, list[Refresh]] = {}
        self._seen: dict[str, int] = {}
        self._failing: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    async def watch(self, name: str, refresh: Refresh) -> None:
        """Call `refresh` now, and after every change of the table of that name. Raises what the first call raises."""
        present = await self._revisions.read()
        await refresh(present.get(name, 0))
        self._watchers.setdefault(name, []).append(refresh)
        self._seen.setdefault(name, present.get(name, 0))
        if self._task is None:
            self._task = asyncio.create_task(self._watch(), name="gateway changes")

    async def stop(self) -> None:
        """End the watch."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        self._watchers.clear()
        self._seen.clear()
        self._revisions.close()

    async def look(self) -> None:
        """See at once what has changed. Raises what the database raises."""
        present = await self._revisions.read()
        for name, watchers in [*self._watchers.items()]:
            revision = present.get(name, 0)
            if revision == self._seen.get(name, 0) and name not in self._failing:
                continue
            self._failing.add(name)
            for refresh in watchers:
                await refresh(revision)
            self._failing.discard(name)
            self._seen[name] = revision

    async def _watch(self) -> None:
        away = False
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self.look()
                away = False
            except Exception as error:  # noqa: BLE001 - whatever the driver raises, the watch goes on
                if not away:
                    away = True
                    log.error(  # noqa: TRY400 - once per outage, without a traceback
                        "changes cannot be read from the database: what is known goes on working (%s: %s)",
                        type(error).__name__,
                        error,
                    )
