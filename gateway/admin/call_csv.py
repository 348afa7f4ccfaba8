"""Calls as CSV (RFC 4180), written while they are read, and safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncGenerator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec
from starlette.responses import Response, StreamingResponse

from gateway.store import Database
from gateway.store.calls import as_cell, as_record
from gateway.store.tenant_calls import CallFilter, has_more_calls_than, list_tenant_calls
from gateway.types import NANO

MOST_ROWS: Final = 100_000
_AT_ONCE: Final = 1_000
COLUMNS: Final = (
    *(
        "id",
        "received_at",
        "status",
        "model",
        "provider",
        "upstream_model",
        "capability",
        "dialect",
        "stream",
    ),
    *("user", "key", "key_name", "http_status", "attempts", "prompt_tokens", "completion_tokens"),
    *("cached_read_tokens", "cached_write_tokens", "reasoning_tokens", "units", "estimated", "cost"),
    *("price_version", "duration_ms", "first_byte_at", "ended_at", "error_code", "error_message"),
    *("request_id", "client_request_id"),
)


async def csv_response(database: Database, tenant: str, which: CallFilter) -> Response:
    """Stream the calls, at most MOST_ROWS; the header `x-row-limit-reached` and a last line say when there are more."""
    cut = await has_more_calls_than(database, tenant, which, MOST_ROWS)
    return StreamingResponse(
        _lines(database, tenant, which, cut=cut),
        media_type="text/csv; charset=utf-8; header=present",
        headers={
            "content-disposition": 'attachment; filename="calls.csv"',
            "x-row-limit-reached": "true" if cut else "false",
        },
    )


async def _lines(database: Database, tenant: str, which: CallFilter, *, cut: bool) -> AsyncGenerator[str]:
    yield "\ufeff" + _written([COLUMNS])  # the mark by which Excel knows UTF-8
    before, left = None, MOST_ROWS
    while left > 0:
        rows = await list_tenant_calls(database, tenant, which, limit=min(_AT_ONCE, left), before=before)
        if not rows:
            break
        yield _written([_cells(as_record(row)) for row in rows])
        before, left = rows[-1].id, left - len(rows)
    if cut:
        yield _written(
            [[f"There are more than {MOST_ROWS} calls: ask for a shorter time to see the others."]]
        )


def _cells(record: Mapping[str, Any]) -> Sequence[Any]:
    error: Mapping[str, Any] = record["error"] or {}
    units = record["units"]
    cells: dict[str, Any] = {
        **record,
        "cost": None if record["cost_nano"] is None else f"{Decimal(record['cost_nano']) / NANO:f}",
        "units": None if units is None else msgspec.json.encode(units).decode(),
        "error_code": error.get("code"),
        "error_message": error.get("message"),
    }
    return [as_cell(cells[name]) for name in COLUMNS]


def _written(rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()
