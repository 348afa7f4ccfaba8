"""Stored responses. Whose they are is part of every question: a tenant never finds another's."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from sqlalchemy import bindparam, delete, exists, literal, or_, select, update

from gateway.errors import GatewayError
from gateway.store.stored_tables import response_events, responses
from gateway.store.tables import workers
from gateway.store.writes import Guard, Insert, Write

if TYPE_CHECKING:
    from sqlalchemy import Row

    from gateway.store.database import Database

LONGEST_ID: Final = 200
"""Characters of a response's id that can be stored."""

_LONGEST_CHAIN = 10_000
_AT_ONCE = 500


class StoredResponse(Struct, frozen=True, kw_only=True):
    """A row of `responses`. Times are Unix seconds."""

    tenant: str
    id: str
    key: str | None
    model: str
    status: str
    """`queued`, `in_progress`, `completed`, `incomplete`, `failed` or `cancelled`."""
    previous: str | None
    call: str
    background: bool = False
    stream: bool = False
    worker: str | None = None
    """Who runs it; None once it has ended."""
    created_at: float
    expires_at: float
    input: bytes
    """JSON: the items that came with it, each with an id."""
    response: bytes
    """JSON: the response object; what `status` says there is out of date while it runs."""


class NoLongerRuns(GatewayError):
    """The response was cancelled or deleted meanwhile, or taken from a worker that seemed dead."""


_COLUMNS = StoredResponse.__struct_fields__
_ADD = Insert(responses, *_COLUMNS)
_ADD_EVENTS = Insert(response_events, "tenant", "response", "position", "data")
_mine = (
    responses.c.tenant == bindparam("of_tenant"),
    responses.c.id == bindparam("of_id"),
    responses.c.worker == bindparam("of_worker"),
)
_BEGIN = Guard(
    update(responses).where(*_mine).values(status="in_progress"),
    "of_tenant",
    "of_id",
    "of_worker",
    refusal=lambda: NoLongerRuns("The response does not run any more."),
)
_FINISH = Guard(
    update(responses)
    .where(*_mine)
    .values(status=bindparam("new_status"), response=bindparam("new_response"), worker=None),
    "new_status",
    "new_response",
    "of_tenant",
    "of_id",
    "of_worker",
    refusal=lambda: NoLongerRuns("The response does not run any more."),
)


def added(row: StoredResponse) -> Write:
    """The write that stores a response."""
    return Write(_ADD, tuple(getattr(row, name) for name in _COLUMNS))


def begun(row: StoredResponse) -> Write:
    """The write that says that a response in the background runs now. Refused with `NoLongerRuns`."""
    return Write(_BEGIN, (row.tenant, row.id, row.worker))


def events_added(row: StoredResponse, position: int, data: bytes) -> Write:
    """The write that keeps a piece of a stream."""
    return Write(_ADD_EVENTS, (row.tenant, row.id, position, data))


def finished(row: StoredResponse, status: str, response: bytes) -> Write:
    """The write that ends a response in the background. Refused with `NoLongerRuns`."""
    return Write(_FINISH, (status, response, row.tenant, row.id, row.worker))


def is_storable(id: str) -> bool:
    """Whether an id can be that of a stored response."""
    return 0 < len(id) <= LONGEST_ID and id.isprintable()


async def get_response(database: Database, tenant: str, id: str) -> StoredResponse | None:
    """The response of that id, or None. Raises `Unavailable`."""
    if not is_storable(id):
        return None
    found = responses.c
    query = select(responses).where(found.tenant == tenant, found.id == id, found.expires_at > time.time())
    async with database.connect() as connection:
        row = (await connection.execute(query)).one_or_none()
    return None if row is None else _response_of(row)


async def get_answers(database: Database, tenant: str, ids: Collection[str]) -> list[bytes]:
    """The response objects of these ids, a few hundred at most, as JSON: of as many as there are. Raises `Unavailable`."""
    found = responses.c
    query = select(found.response).where(
        found.tenant == tenant, found.id.in_(ids), found.expires_at > time.time()
    )
    async with database.connect() as connection:
        return list((await connection.execute(query)).scalars())


async def get_chain(database: Database, tenant: str, id: str) -> list[StoredResponse]:
    """The response of that id after all that it continues, oldest first.

    Empty when the response, or one before it, is not there (any more). Raises `Unavailable`.
    """
    if not is_storable(id):
        return []
    found, now = responses.c, time.time()
    link = (
        select(found.id, found.previous, literal(0).label("age"))
        .where(found.tenant == tenant, found.id == id, found.expires_at > now)
        .cte("link", recursive=True)
    )
    before = responses.alias("before")
    link = link.union_all(
        select(before.c.id, before.c.previous, link.c.age + 1).where(
            before.c.tenant == tenant,
            before.c.id == link.c.previous,
            before.c.expires_at > now,
            link.c.age < _LONGEST_CHAIN,
        )
    )
    query = (
        select(responses)
        .join(link, found.id == link.c.id)
        .where(found.tenant == tenant)
        .order_by(link.c.age.desc())
    )
    async with database.connect() as connection:
        chain = [_response_of(row) for row in await connection.execute(query)]
    return [] if chain and chain[0].previous is not None else chain


async def get_events(database: Database, tenant: str, id: str, *, start: int) -> list[bytes]:
    """The pieces of a stream from that position on. Raises `Unavailable`."""
    found = response_events.c
    query = (
        select(found.data)
        .where(found.tenant == tenant, found.response == id, found.position >= start)
        .order_by(found.position)
    )
    async with database.connect() as connection:
        return list((await connection.execute(query)).scalars())


async def cancel_response(database: Database, tenant: str, id: str) -> bool:
    """Take a response from the worker that runs it; whether one did. Raises `Unavailable`."""
    found = responses.c
    change = (
        update(responses)
        .where(found.tenant == tenant, found.id == id, found.worker.is_not(None))
        .values(status="cancelled", worker=None)
    )
    async with database.begin() as connection:
        return (await connection.execute(change)).rowcount > 0


async def delete_response(database: Database, tenant: str, id: str) -> bool:
    """Delete a response and its events; whether it was there. Raises `Unavailable`."""
    async with database.begin() as connection:
        gone = await connection.execute(
            delete(responses).where(responses.c.tenant == tenant, responses.c.id == id)
        )
        await connection.execute(
            delete(response_events).where(
                response_events.c.tenant == tenant, response_events.c.response == id
            )
        )
    return gone.rowcount > 0


async def running_calls(database: Database, worker: str) -> set[str]:
    """The calls behind the responses that a worker still has to run. Raises `Unavailable`."""
    query = select(responses.c.call).where(responses.c.worker == worker)
    async with database.connect() as connection:
        return set((await connection.execute(query)).scalars())


async def orphans(database: Database, calls: Collection[str] = ()) -> list[StoredResponse]:
    """Responses that say they run, but whose worker is no more, or whose call is one of these. Raises `Unavailable`."""
    found = responses.c
    lost = or_(found.worker.not_in(select(workers.c.id)), found.call.in_(calls))
    query = select(responses).where(found.worker.is_not(None), lost)
    async with database.connect() as connection:
        return [_response_of(row) for row in await connection.execute(query.limit(_AT_ONCE))]


async def delete_expired(database: Database) -> int:
    """Delete what is past its time; return how many responses that were. Raises `Unavailable`."""
    old = responses.c.expires_at <= time.time()
    async with database.begin() as connection:
        gone = await connection.execute(delete(responses).where(old))
        if gone.rowcount:
            kept = exists().where(
                responses.c.tenant == response_events.c.tenant, responses.c.id == response_events.c.response
            )
            await connection.execute(delete(response_events).where(~kept))
    return gone.rowcount


def _response_of(row: Row[Any]) -> StoredResponse:
    values: Sequence[Any] = [getattr(row, name) for name in _COLUMNS]
    return StoredResponse(**dict(zip(_COLUMNS, values, strict=True)))
