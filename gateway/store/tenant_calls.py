"""The calls of one tenant: listed, shown, added up, and read in the order of a list for an export."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from msgspec import Struct
from sqlalchemy import BigInteger, ColumnElement, and_, cast, func, literal_column, or_, select

from gateway.store.searching import contains
from gateway.store.tables import api_keys, model_calls
from gateway.types import Status

if TYPE_CHECKING:
    from sqlalchemy import Row

    from gateway.store.database import Database

By: TypeAlias = Literal["key", "provider", "model", "at"]
DAY: Final = 86_400
_SLACK: Final = 60.0
"""Seconds by which the time in a call's id and the time when it was received may differ."""
_LAST_MOMENT: Final = 2.0**46 / 1000
"""Unix seconds that an id can hold."""
_SEARCHED: Final = (
    model_calls.c.id,
    model_calls.c.request_id,
    model_calls.c.client_request_id,
    model_calls.c.model,
    model_calls.c.upstream_model,
    model_calls.c.user,
    model_calls.c.key_name,
    model_calls.c.error_code,
    model_calls.c.error_message,
)


class Own(Struct, frozen=True, kw_only=True):
    """Whose calls alone are seen: those of a user and of the keys that are theirs, and those of one key."""

    user: str | None
    key: str | None


class CallFilter(Struct, frozen=True, kw_only=True):
    """Which calls are meant; None is without limit. Times are Unix seconds."""

    own: Own | None = None
    since: float | None = None
    until: float | None = None
    """The first moment that does not count."""
    statuses: Sequence[Status] = ()
    model: str | None = None
    """As the client wrote it, or as the provider knows it."""
    provider: str | None = None
    capability: str | None = None
    key: str | None = None
    """Id or name."""
    user: str | None = None
    search: str | None = None
    """A part of an id, a name or an error, in whatever case."""


async def list_tenant_calls(
    database: Database, tenant: str, which: CallFilter, *, limit: int, before: str | None = None
) -> Sequence[Row[Any]]:
    """The tenant's newest calls first; `before` is the last id of the page before. Raises `Unavailable`."""
    query = select(model_calls).where(_meant(tenant, which)).order_by(model_calls.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(model_calls.c.id < before)
    async with database.connect() as connection:
        return (await connection.execute(query)).all()


async def get_tenant_call(
    database: Database, tenant: str, id: str, *, own: Own | None = None
) -> Row[Any] | None:
    """The tenant's call of that id, or None. Raises `Unavailable`."""
    query = select(model_calls).where(_meant(tenant, CallFilter(own=own)), model_calls.c.id == id)
    async with database.connect() as connection:
        return (await connection.execute(query)).one_or_none()


async def count_tenant_calls(database: Database, tenant: str, which: CallFilter) -> int:
    """How many calls are meant. Raises `Unavailable`."""
    query = select(func.count()).select_from(model_calls).where(_meant(tenant, which))
    async with database.connect() as connection:
        return await connection.scalar(query) or 0


async def has_more_calls_than(database: Database, tenant: str, which: CallFilter, number: int) -> bool:
    """Whether more calls than that are meant; reads no more of them than it needs to know. Raises `Unavailable`."""
    some = select(model_calls.c.id).where(_meant(tenant, which)).limit(number + 1).subquery()
    async with database.connect() as connection:
        return (await connection.scalar(select(func.count()).select_from(some)) or 0) > number


def _meant(tenant: str, which: CallFilter) -> ColumnElement[bool]:
    columns = model_calls.c
    found: list[ColumnElement[bool]] = [columns.tenant == tenant]
    for column, value in (
        (columns.provider, which.provider),
        (columns.capability, which.capability),
        (columns.user, which.user),
    ):
        if value is not None:
            found.append(column == value)
    if which.own is not None:
        found.append(_owned(tenant, which.own))
    if which.statuses:
        found.append(columns.status.in_(which.statuses))
    if which.model is not None:
        found.append(or_(columns.model == which.model, columns.upstream_model == which.model))
    if which.key is not None:
        found.append(or_(columns.key == which.key, columns.key_name == which.key))
    if which.since is not None:
        found += [columns.received_at >= which.since, columns.id >= _id_at(which.since - _SLACK)]
    if which.until is not None:
        found += [columns.received_at < which.until, columns.id < _id_at(which.until + _SLACK)]
    if which.search is not None:
        found.append(contains(which.search, *_SEARCHED))
    return and_(*found)


def _owned(tenant: str, own: Own) -> ColumnElement[bool]:
    found: list[ColumnElement[bool]] = []
    if own.user is not None:
        keys = select(api_keys.c.id).where(api_keys.c.tenant == tenant, api_keys.c.owner == own.user)
        found += [model_calls.c.user == own.user, model_calls.c.key.in_(keys)]
    if own.key is not None:
        found.append(model_calls.c.key == own.key)
    return or_(*found) if found else model_calls.c.id.is_(None)  # nobody's: no call at all


def _id_at(moment: float) -> str:
    """What every call's id of that moment begins with, or follows: the primary key narrows the search."""
    return f"call_{int(min(max(moment, 0.0), _LAST_MOMENT) * 1000):012x}"


async def sum_tenant_calls(
    database: Database,
    tenant: str,
    which: CallFilter,
    *,
    by: Sequence[By],
    step: int = DAY,
    ahead: int = 0,
) -> Sequence[Row[Any]]:
    """Add up the calls meant that have ended, by `by`; a time is one of `step` seconds in a zone `ahead` of UTC.

    Reads the calls themselves, since buckets do not tell people apart: keep the time short. A row has what `by` names
    (`model` as its provider knows it, `at` in Unix seconds), `calls`, `succeeded`, `prompt_tokens`,
    `completion_tokens`, `charge` (10⁻⁹), `seconds` and `first_byte` in all, `last` (Unix seconds); what nobody told is
    null. Raises `Unavailable`.
    """
    c = model_calls.c
    received = cast(c.received_at * 1000, BigInteger) // 1000 + _number(ahead)
    columns: dict[By, ColumnElement[Any]] = {
        "key": c.key,
        "provider": c.provider,
        "model": func.coalesce(c.upstream_model, c.model),
        "at": received - received % _number(step) - _number(ahead),
    }
    groups = [columns[name].label(name) for name in by]
    sums = (
        func.count().label("calls"),
        func.count().filter(c.status == "success").label("succeeded"),
        cast(func.sum(c.prompt_tokens), BigInteger).label("prompt_tokens"),
        cast(func.sum(c.completion_tokens), BigInteger).label("completion_tokens"),
        cast(func.sum(func.coalesce(c.charge, c.cost)), BigInteger).label("charge"),
        func.sum(c.ended_at - c.received_at).label("seconds"),
        func.sum(c.first_byte_at - c.received_at).label("first_byte"),
        func.max(c.received_at).label("last"),
    )
    ended = c.status != "processing"
    query = (
        select(*groups, *sums).where(_meant(tenant, which), ended).group_by(*(columns[name] for name in by))
    )
    async with database.connect() as connection:
        return (await connection.execute(query)).all()


def _number(value: int) -> ColumnElement[int]:
    """Written into the statement: PostgreSQL compares what it groups by with what it selects word by word."""
    return literal_column(str(int(value)), BigInteger)
