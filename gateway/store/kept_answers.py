"""Answers to requests that are to be carried out once, under the key that the client sent with them.

A tenant never meets another's keys. A key belongs to the worker that makes the answer, for as long as that one's row in
`workers` stays: `gateway.ledger.recovery` removes those of the dead, once it has settled their calls. What was billed
under a key is in `answered_calls` from the transaction on that settled it: where such an answer is missing, it is lost.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from msgspec import Struct
from sqlalchemy import and_, delete, exists, insert, or_, select, update

from gateway.store.identity_tables import kept_answers
from gateway.store.money_tables import answered_calls
from gateway.store.tables import workers
from gateway.store.upsert import insert_into
from gateway.store.writes import Insert

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy import ColumnElement, Row, Update
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.database import Database

_LONGEST: Final = 40
"""Characters of an id that the column holds; a provider's own may be longer."""
Begun: TypeAlias = "Callable[[AsyncConnection, str], Awaitable[None]]"
"""Told within the transaction that stores work, by its id, which goes on after its request was answered, such as a batch.

ASGI middleware that keeps answers puts it into `scope["gateway.begun"]`.
"""

TOO_LARGE = 0
"""In place of a status: the answer was not kept."""
LOST = -1
"""Likewise: the request was carried out and billed, and whoever did it died before the answer was kept."""

BILLED = Insert(answered_calls, "call", "tenant", "answer", "worker")
"""A call was billed: joins its settlement. `answer` is the id in `kept_answers`."""


class Earlier(Struct, frozen=True, kw_only=True):
    """A request that came before with the same key."""

    fingerprint: bytes
    status: int | None
    """None while its answer is made."""
    answer: bytes | None
    calls: Sequence[str] = ()
    """What was billed, where the answer is lost."""


async def claim_answer(
    database: Database,
    tenant: str,
    id: str,
    *,
    key: str | None,
    fingerprint: bytes,
    worker: str,
    seconds: float,
) -> Earlier | None:
    """Take the key for a request that begins, and is to be kept for so many seconds; or return the one that has it.

    It is free again where its time is over, its worker dead, or where this worker has lost sight of it; the latter two
    only if nothing was billed under it. Raises `Unavailable`.
    """
    now = time.time()
    values = {
        "tenant": tenant,
        "id": id,
        "key": key,
        "fingerprint": fingerprint,
        "worker": worker,
        "created_at": now,
        "expires_at": now + seconds,
    }
    free = _free(worker, now)
    async with database.begin() as connection:
        adding = insert_into(connection, kept_answers).on_conflict_do_nothing()
        if (await connection.execute(adding, values)).rowcount == 1:
            return None
        query = select(kept_answers, free.label("free")).where(*_is(tenant, id))
        found = (await connection.execute(query)).one_or_none()
        calls = [] if found is None else await _billed(connection, found)
        if calls and found is not None and found.status is None and found.expires_at > now:
            await connection.execute(_lost(tenant, id, worker=found.worker))
            return Earlier(fingerprint=bytes(found.fingerprint), status=LOST, answer=None, calls=calls)
        if found is not None and found.free:
            await connection.execute(delete(kept_answers).where(*_is(tenant, id), free))
            if (await connection.execute(adding, values)).rowcount == 1:
                return None
            found = None
    if found is None:  # given back, or taken over, between the two
        return Earlier(fingerprint=fingerprint, status=None, answer=None)
    return _earlier(found, calls)


async def look_at_answer(database: Database, tenant: str, id: str, *, worker: str) -> Earlier | None:
    """Return the request that has the key; None when it is free. Raises `Unavailable`."""
    free = _free(worker, time.time())
    query = select(kept_answers, free.label("free")).where(*_is(tenant, id), ~free)
    async with database.connect() as connection:
        row = (await connection.execute(query)).one_or_none()
        return None if row is None else _earlier(row, await _billed(connection, row))


async def keep_answer(
    database: Database, tenant: str, id: str, *, worker: str, status: int, answer: bytes | None
) -> None:
    """Keep what was answered, unless another worker has taken the key over. Raises `Unavailable`."""
    change = update(kept_answers).where(*_is(tenant, id), *_made_by(worker))
    async with database.begin() as connection:
        await connection.execute(change.values(status=status, answer=answer))


async def note_lost(database: Database, tenant: str, id: str, *, worker: str) -> None:
    """Note that the request was billed and has no answer that could be kept. Raises `Unavailable`."""
    async with database.begin() as connection:
        await connection.execute(_lost(tenant, id, worker=worker))


async def give_back(database: Database, tenant: str, id: str, *, worker: str) -> None:
    """Set the key free: the request may be sent again. One under which something was billed is lost. Raises `Unavailable`."""
    found = answered_calls.c
    billed = exists().where(found.tenant == tenant, found.answer == id, found.worker == worker)
    async with database.begin() as connection:
        await connection.execute(_lost(tenant, id, worker=worker).where(billed))
        await connection.execute(delete(kept_answers).where(*_is(tenant, id), *_made_by(worker)))


async def note_begun(connection: AsyncConnection, tenant: str, id: str, work: str, *, worker: str) -> None:
    """Note that a request has begun what is going to be billed, such as a batch: it is not to be begun again."""
    noted = {"call": work[:_LONGEST], "tenant": tenant, "answer": id, "worker": worker}
    await connection.execute(insert(answered_calls).values(**noted))


async def delete_expired_answers(database: Database) -> int:
    """Forget the answers past their time; return how many there were. Raises `Unavailable`."""
    async with database.begin() as connection:
        over = delete(kept_answers).where(kept_answers.c.expires_at <= time.time())
        count = (await connection.execute(over)).rowcount
        of_none = ~exists().where(*_is(answered_calls.c.tenant, answered_calls.c.answer))
        await connection.execute(delete(answered_calls).where(of_none))
    return count


async def _billed(connection: AsyncConnection, row: Row[Any]) -> list[str]:
    """The calls that were billed under a key whose answer is not there, and whose worker is gone."""
    if row.status not in {None, LOST} or not (row.free or row.status == LOST):
        return []
    found = answered_calls.c
    query = select(found.call).where(
        found.tenant == row.tenant, found.answer == row.id, found.worker == row.worker
    )
    return [*(await connection.execute(query.order_by(found.call))).scalars()]


def _lost(tenant: str, id: str, *, worker: str) -> Update:
    return update(kept_answers).where(*_is(tenant, id), *_made_by(worker)).values(status=LOST)


def _is(tenant: Any, id: Any) -> tuple[ColumnElement[bool], ...]:
    return (kept_answers.c.tenant == tenant, kept_answers.c.id == id)


def _made_by(worker: str) -> tuple[ColumnElement[bool], ...]:
    return (kept_answers.c.worker == worker, kept_answers.c.status.is_(None))


def _free(worker: str, now: float) -> ColumnElement[bool]:
    lives = exists().where(workers.c.id == kept_answers.c.worker)
    lost = or_(kept_answers.c.worker == worker, ~lives)
    return or_(kept_answers.c.expires_at <= now, and_(kept_answers.c.status.is_(None), lost))


def _earlier(row: Row[Any], calls: Sequence[str]) -> Earlier:
    answer = None if row.answer is None else bytes(row.answer)
    return Earlier(fingerprint=bytes(row.fingerprint), status=row.status, answer=answer, calls=calls)
