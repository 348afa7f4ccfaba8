"""CSV, for all other providers: a line for each request, or for each day and model."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from gateway.errors import GatewayError
from gateway.reconcile.export import DAY, Bucket, Export, Line, check_moment, nano

_COUNTS: Final = (
    "calls",
    "prompt_tokens",
    "completion_tokens",
    "cached_read_tokens",
    "cached_write_tokens",
    "images",
    "seconds",
    "characters",
)
COLUMNS: Final = ("time", "model", "request", *_COUNTS, "cost")
"""What a column may hold; that of the time must be there."""


def read_csv(where: str, data: bytes, names: Mapping[str, str]) -> Export:
    """Read CSV with a head; `names` says how it names our columns, where it names them differently.

    Times are ISO 8601 (UTC unless they say otherwise) or Unix seconds; the cost is in units of the currency. The file
    is taken to tell everything from its first day to its last, in UTC. Raises `GatewayError`, naming the line.
    """
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig")), strict=True)
        head = reader.fieldnames or ()
        rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise GatewayError(f"{where}: cannot be read as CSV: {error}") from error
    columns = {own: names.get(own, own) for own in COLUMNS}
    missing = [f"{own}={columns[own]}" for own in names if columns[own] not in head]
    if columns["time"] not in head and not missing:
        missing = ["time"]
    if missing:
        raise GatewayError(f"{where}: has no column for {', '.join(missing)}. It has: {', '.join(head)}.")
    held = {own: column for own, column in columns.items() if column in head}
    by_request = "request" in held
    measures = tuple(own for own in (*_COUNTS, "cost") if own in held and not (by_request and own == "calls"))
    if not measures and not by_request:
        raise GatewayError(f"{where}: has no column to compare. There may be: {', '.join(COLUMNS[2:])}.")
    days: dict[int, list[Line]] = {}
    for number, row in enumerate(rows, start=2):
        place = f"{where}, line {number}"
        cells = {own: (row[column] or "").strip() for own, column in held.items()}
        line = Line(
            model=cells.get("model") or None,
            values={own: _value(place, own, cells[own]) for own in measures},
            request=cells["request"] if by_request else None,
        )
        days.setdefault(int(_moment(place, cells["time"]) // DAY), []).append(line)
    if not days:
        raise GatewayError(f"{where}: has no lines.")
    buckets = [
        Bucket(start=day * DAY, end=(day + 1) * DAY, lines=days.get(day, ()))
        for day in range(min(days), max(days) + 1)
    ]
    return Export(
        kind="requests" if by_request else "usage",
        measures=measures,
        capabilities=None,
        buckets=buckets,
        by_request=by_request,
    )


def _moment(place: str, text: str) -> float:
    try:
        moment = float(text) if text.replace(".", "", 1).isdigit() else _parsed(text)
    except ValueError as error:
        raise GatewayError(f"{place}: {text!r} is not a time: write ISO 8601 or Unix seconds.") from error
    return check_moment(place, moment)


def _parsed(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _value(place: str, own: str, text: str) -> int:
    try:
        number = Decimal(text or "0")
    except InvalidOperation as error:
        raise GatewayError(f"{place}: {own}: {text!r} is not a number.") from error
    if own == "cost":
        return nano(place, number)
    if not number.is_finite():
        raise GatewayError(f"{place}: {own}: {text!r} is not a number.")
    return round(number)
