"""Everything that a tenant has, row by row, without secrets."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from sqlalchemy import Table, select, tuple_

from gateway.errors import InvalidRequest
from gateway.store.identity_tables import (
    audit_log,
    components,
    credentials,
    invitations,
    memberships,
    roles,
    service_accounts,
    team_members,
    teams,
    users,
)
from gateway.store.money_tables import notices
from gateway.store.stored_tables import batch_lines, batches, file_chunks, files, jobs, responses
from gateway.store.tables import api_keys, model_calls, tenants, usage_buckets

if TYPE_CHECKING:
    from gateway.store.database import Database


class _Kind(NamedTuple):
    name: str
    table: Table
    json: tuple[str, ...] = ()
    """Columns that hold JSON as bytes."""
    left_out: tuple[str, ...] = ()
    """Columns with secrets, and those that tell only this gateway something."""
    at_once: int = 200


_KINDS: Final = (
    _Kind("role", roles, left_out=("revision",)),
    _Kind("team", teams, left_out=("revision",)),
    _Kind("team_member", team_members),
    _Kind("service_account", service_accounts, left_out=("revision",)),
    _Kind("invitation", invitations, left_out=("digest", "revision")),
    _Kind("key", api_keys, left_out=("digest", "digest_scheme", "revision")),
    _Kind("component", components, left_out=("revision",)),
    _Kind("credential", credentials, left_out=("sealed", "master_key", "revision")),
    _Kind("call", model_calls, left_out=("worker",)),
    _Kind("usage", usage_buckets),
    _Kind("notice", notices, left_out=("sent",)),
    _Kind("response", responses, json=("input", "response"), left_out=("worker",), at_once=20),
    _Kind("file", files),
    _Kind("file_chunk", file_chunks, at_once=1),
    _Kind("batch", batches, json=("metadata", "errors", "usage"), left_out=("principal", "worker")),
    _Kind("batch_line", batch_lines, json=("request", "result"), at_once=20),
    _Kind("job", jobs, json=("shown",), left_out=("credential",)),
    _Kind("audit", audit_log, left_out=("previous", "hash")),
)


async def export_tenant(database: Database, tenant: str) -> AsyncGenerator[bytes]:
    """Yield lines of JSON, each with the `kind` of what it tells; the content of files is in base64.

    A row's own column of that name is `credential_kind` and the like.

    Never holds more than a few rows. Raises `InvalidRequest` (404) before the first line.
    """
    columns = [column for column in tenants.c if column.name not in {"revision", "swept_until"}]
    async with database.connect() as connection:
        found = await connection.execute(select(*columns).where(tenants.c.id == tenant))
        row = found.mappings().one_or_none()
    if row is None:
        raise InvalidRequest(f"There is no tenant {tenant!r}.", status=404, code="not_found")
    yield _line("tenant", dict(row))
    async for line in _members(database, tenant):
        yield line
    for kind in _KINDS:
        async for line in _rows(database, tenant, kind):
            yield line


async def _members(database: Database, tenant: str) -> AsyncGenerator[bytes]:
    query = (
        select(
            memberships.c.user,
            memberships.c.role,
            memberships.c.created_at,
            users.c.name,
            users.c.email,
            users.c.email_verified,
            users.c.locale,
        )
        .join(users, users.c.id == memberships.c.user)
        .where(memberships.c.tenant == tenant)
        .order_by(memberships.c.user)
        .limit(200)
    )
    last = ""
    while True:
        async with database.connect() as connection:
            rows = (await connection.execute(query.where(memberships.c.user > last))).mappings().all()
        for row in rows:
            yield _line("member", dict(row))
        if not rows:
            return
        last = rows[-1]["user"]


async def _rows(database: Database, tenant: str, kind: _Kind) -> AsyncGenerator[bytes]:
    table = kind.table
    key = [column for column in table.primary_key.columns if column.name != "tenant"]
    columns = [column for column in table.c if column.name not in kind.left_out]
    query = select(*columns).where(table.c.tenant == tenant).order_by(*key).limit(kind.at_once)
    last: tuple[Any, ...] | None = None
    while True:
        page = query if last is None else query.where(tuple_(*key) > last)
        async with database.connect() as connection:
            rows = (await connection.execute(page)).mappings().all()
        for row in rows:
            fields = dict(row)
            if "kind" in fields:
                fields[f"{kind.name}_kind"] = fields.pop("kind")
            for name in kind.json:
                if fields[name] is not None:
                    fields[name] = msgspec.Raw(fields[name])
            yield _line(kind.name, fields)
        if not rows:
            return
        last = tuple(rows[-1][column.name] for column in key)


def _line(kind: str, fields: dict[Any, Any]) -> bytes:
    return msgspec.json.encode({"kind": kind, **fields}) + b"\n"
