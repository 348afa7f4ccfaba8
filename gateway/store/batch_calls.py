"""Calls that a provider carries out in a batch: open for as long as it takes, and nobody's but the batch's."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, insert, literal, select, text, update

from gateway.store.jobs import StoredJob
from gateway.store.stored_tables import jobs
from gateway.store.tables import model_calls

if TYPE_CHECKING:
    from sqlalchemy import Row

    from gateway.store.database import Database
    from gateway.store.kept_answers import Begun

_ABROAD: Final = "batch:"
_AT_ONCE: Final = 500
_LONGEST: Final = 200
"""Characters of a client's request id that are kept."""
_OPEN: Final = text("model_calls.status = 'processing'")
"""As in the index, word for word: else it is not used."""

is_abroad: Final = model_calls.c.worker.startswith(_ABROAD)
"""No process runs such a call, so none can leave it behind."""


def worker_of(batch: StoredJob) -> str:
    """What stands for a worker in the rows of a batch's calls."""
    return _ABROAD + hashlib.sha256(f"{batch.tenant}\0{batch.id}".encode()).hexdigest()[:32]


async def hand_over(
    database: Database, batch: StoredJob, calls: Sequence[str], begun: Begun | None = None
) -> None:
    """Store a batch that its provider has taken, and make these calls its own: all of that or nothing.

    `calls` are ids of open calls, with the line's own id as the client's; they become `BATCH/CUSTOM_ID`. `begun` is told
    within the transaction. Raises `Unavailable`.
    """
    values = {name: getattr(batch, name) for name in StoredJob.__struct_fields__}
    label = func.substr(literal(f"{batch.id}/") + model_calls.c.client_request_id, 1, _LONGEST)
    async with database.begin() as connection:
        await connection.execute(insert(jobs).values(**values))
        if begun is not None:
            await begun(connection, batch.id)
        for start in range(0, len(calls), _AT_ONCE):
            some = model_calls.c.id.in_(calls[start : start + _AT_ONCE])
            mine = update(model_calls).where(some, _OPEN)
            await connection.execute(mine.values(worker=worker_of(batch), client_request_id=label))


async def open_calls(database: Database, batch: StoredJob) -> list[Row[Any]]:
    """The rows of a batch's calls that are not settled yet. Raises `Unavailable`."""
    query = select(model_calls).where(_OPEN, model_calls.c.worker == worker_of(batch))
    async with database.connect() as connection:
        return list((await connection.execute(query.order_by(model_calls.c.id))).all())
