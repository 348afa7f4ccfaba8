"""Calls as the ledger holds them: to list, to show, to hand on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from msgspec.json import decode
from sqlalchemy import or_, select

from gateway.store.tables import model_calls
from gateway.types import NANO

if TYPE_CHECKING:
    from sqlalchemy import Row

    from gateway.store.database import Database

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - spreadsheets take the wide ones too
"""What makes a spreadsheet calculate a cell that begins with it. https://owasp.org/www-community/attacks/CSV_Injection"""


async def list_calls(  # noqa: PLR0913 - one for each column people look for
    database: Database,
    *,
    limit: int = 50,
    before: str | None = None,
    tenant: str | None = None,
    key: str | None = None,
    model: str | None = None,
    status: str | None = None,
    since: float | None = None,
    client_request_id: str | None = None,
    request_id: str | None = None,
) -> Sequence[Row[Any]]:
    """The newest calls first, at most `limit`; `before` continues after the last id of a page.

    `key` is the id or the name of an API key, `model` the name as the client wrote it, `since` in Unix seconds.
    Raises `Unavailable`.
    """
    columns = model_calls.c
    query = select(model_calls).order_by(columns.id.desc()).limit(limit)
    exact = (
        (columns.tenant, tenant),
        (columns.model, model),
        (columns.status, status),
        (columns.client_request_id, client_request_id),
        (columns.request_id, request_id),
    )
    for column, value in exact:
        if value is not None:
            query = query.where(column == value)
    if key is not None:
        query = query.where(or_(columns.key == key, columns.key_name == key))
    if before is not None:
        query = query.where(columns.id < before)
    if since is not None:
        query = query.where(columns.received_at >= since)
    async with database.connect() as connection:
        return (await connection.execute(query)).all()


async def get_call(database: Database, id: str) -> Row[Any] | None:
    """The call of that id, or None. Raises `Unavailable`."""
    async with database.connect() as connection:
        return (await connection.execute(select(model_calls).where(model_calls.c.id == id))).one_or_none()


async def find_calls(database: Database, part: str, *, limit: int = 2) -> Sequence[Row[Any]]:
    """The newest calls whose id begins so or, when none does, ends so. Raises `Unavailable`."""
    call = model_calls.c.id
    near = call.between(part, part + "z" * 40)  # lets the index narrow the search
    newest = select(model_calls).order_by(call.desc()).limit(limit)
    async with database.connect() as connection:
        begins = newest.where(near, call.startswith(part, autoescape=True))
        found = (await connection.execute(begins)).all()
        if not found:
            found = (await connection.execute(newest.where(call.endswith(part, autoescape=True)))).all()
        return found


def as_record(row: Row[Any]) -> dict[str, Any]:
    """A row of `model_calls` as `gateway calls --json` prints it and sinks receive it.

    `units` is what was used beside text (`images`, `seconds`, `characters`, `searches`, `file_searches`, `containers`,
    `audio_prompt_tokens`, `audio_completion_tokens`) and the `batch_percent` taken off, null when that is nothing. Times are RFC 3339 in UTC with milliseconds. `cost` is in units of the price book's currency, null when unknown;
    `cost_nano` is the same in whole 10⁻⁹ of it, `charge_nano` what the caller is asked in 10⁻⁹ credit.
    """
    error = None
    if row.error_code is not None or row.error_message is not None:
        error = {"code": row.error_code, "message": row.error_message}
    return {
        "id": row.id,
        "request_id": row.request_id,
        "client_request_id": row.client_request_id,
        "tenant": row.tenant,
        "user": row.user,
        "key": row.key,
        "key_name": row.key_name,
        "capability": row.capability,
        "dialect": row.dialect,
        "model": row.model,
        "stream": row.stream,
        "provider": row.provider,
        "upstream_model": row.upstream_model,
        "status": row.status,
        "attempts": row.attempts,
        "http_status": row.http_status,
        "prompt_tokens": row.prompt_tokens,
        "completion_tokens": row.completion_tokens,
        "cached_read_tokens": row.cached_read_tokens,
        "cached_write_tokens": row.cached_write_tokens,
        "reasoning_tokens": row.reasoning_tokens,
        "units": None if row.units is None else decode(row.units),
        "estimated": row.estimated,
        "cost": None if row.cost is None else row.cost / NANO,
        "cost_nano": row.cost,
        "charge_nano": row.charge,
        "price_version": row.price_version,
        "error": error,
        "received_at": rfc3339(row.received_at),
        "first_byte_at": rfc3339(row.first_byte_at),
        "ended_at": rfc3339(row.ended_at),
        "duration_ms": None if row.ended_at is None else round((row.ended_at - row.received_at) * 1000, 3),
    }


def as_cell(value: Any) -> Any:
    """A value as a cell of CSV that no spreadsheet takes for a formula."""
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA):
        return f"'{value}"
    return value


def rfc3339(moment: float | None) -> str | None:
    """Unix seconds as RFC 3339 in UTC, with milliseconds."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
