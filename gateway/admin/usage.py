"""`/usage`: what the tenant has used, added up from buckets of a quarter of an hour."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec.structs import replace
from pydantic import Field

from gateway.admin.endpoint import Endpoint
from gateway.admin.paging import after, page, unknown_cursor
from gateway.admin.request import AdminRequest
from gateway.admin.shapes import Moment, PageQuery, Several, Shown, moment
from gateway.errors import InvalidRequest
from gateway.store.usage import (
    BUCKET_SECONDS,
    MEASURES,
    GroupBy,
    Offsets,
    Only,
    UsageQuery,
    key_names,
    usage_of,
)
from gateway.types import NANO

_DAY: Final = 86_400
_EPOCH: Final = date(1970, 1, 1)
_USUAL: Final = timedelta(days=30)
_LONGEST: Final = timedelta(days=732)
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)


class UsageFilters(PageQuery):
    """What is added up, and how."""

    limit: int = Field(default=200, ge=1, le=1000, description="How many groups at most.")
    since: Moment | None = Field(
        default=None, description="From the quarter of an hour with this moment on; 30 days before `until`."
    )
    until: Moment | None = Field(
        default=None, description="To the end of the quarter of an hour that is under way then; now."
    )
    group: Several[GroupBy] = Field(
        default=(), max_length=5, description="What is told apart; may be repeated, the first sorts first."
    )
    time_zone: str = Field(default="UTC", max_length=60, description="Whose days and hours, as `Asia/Tokyo`.")
    model: str | None = Field(default=None, max_length=200, description="Only this one.")
    provider: str | None = Field(default=None, max_length=100, description="Only this one.")
    key: str | None = Field(default=None, max_length=40, description="Only the API key with this id.")


class Sums(Shown):
    """What was used."""

    calls: int
    failed: int = Field(description="Failed and cancelled calls among them.")
    prompt_tokens: int
    completion_tokens: int
    cached_read_tokens: int
    cached_write_tokens: int
    reasoning_tokens: int
    cost: float = Field(description="In the price book's currency; calls without a known price add nothing.")
    cost_nano: int = Field(description="The same, exactly, in 10⁻⁹ of it.")


class Group(Sums):
    """What was used by one group; null where it is not grouped by."""

    day: date | None = None
    hour: datetime | None = Field(default=None, description="Its beginning.")
    model: str | None = None
    provider: str | None = Field(default=None, description="Empty where no provider was reached.")
    key: str | None = Field(default=None, description="Id of the API key; empty where there was none.")
    key_name: str | None = None


class Usage(Shown):
    """What was used in a time."""

    since: datetime
    until: datetime
    time_zone: str
    total: Sums
    data: list[Group]
    next_cursor: str | None = Field(description="Give it as `cursor` for more groups; null at the end.")


async def show(request: AdminRequest[UsageFilters, None]) -> Usage:
    """Show usage."""
    query = request.query
    since, until = _span(query)
    offsets = _offsets(query.time_zone, since, until)
    only: Mapping[Only, str | None] = {"model": query.model, "provider": query.provider, "key": query.key}
    all_of_it = UsageQuery(
        since=since, until=until, only={name: value for name, value in only.items() if value is not None}
    )
    (total,) = await usage_of(request.database, request.tenant, all_of_it)
    groups = tuple(dict.fromkeys(query.group))
    rows: Sequence[Any] = ()
    cursor = None
    if groups:
        grouped = replace(all_of_it, groups=groups, offsets=offsets)
        start = _start(query.cursor, groups)
        found = await usage_of(request.database, request.tenant, grouped, limit=query.limit + 1, after=start)
        rows, cursor = page(found, query.limit, lambda row: tuple(getattr(row, group) for group in groups))
    keys = {row.key for row in rows} if "key" in groups else set[str]()
    names = await key_names(request.database, request.tenant, keys)
    return Usage(
        since=moment(since),
        until=moment(until),
        time_zone=query.time_zone,
        total=Sums(**_sums(total)),
        data=[Group(**_sums(row), **_named(row, groups, names)) for row in rows],
        next_cursor=cursor,
    )


def _span(query: UsageFilters) -> tuple[int, int]:
    """From when to when, in Unix seconds at the borders of buckets. Raises `InvalidRequest`."""
    until = datetime.now(UTC) if query.until is None else query.until
    since = until - _USUAL if query.since is None else query.since
    if not _EARLIEST <= since < until <= _LATEST:
        raise InvalidRequest("'since' must be before 'until', and both in this century.", param="since")
    if until - since > _LONGEST:
        told = f"From 'since' to 'until' there may be {_LONGEST.days} days at most."
        raise InvalidRequest(told, param="since")
    first, last = int(since.timestamp()), math.ceil(until.timestamp())
    return first // BUCKET_SECONDS * BUCKET_SECONDS, -(-last // BUCKET_SECONDS) * BUCKET_SECONDS


def _offsets(name: str, since: int, until: int) -> Offsets:
    """How far the zone is ahead of UTC, and from when on, within a span. Raises `InvalidRequest`."""
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidRequest(f"There is no time zone {name!r}.", param="time_zone") from None

    def ahead(at: int) -> int:
        return int((datetime.fromtimestamp(at, zone).utcoffset() or timedelta()).total_seconds())

    found = [(since, ahead(since))]
    for day in range(since, until, _DAY):
        low, high = day, min(day + _DAY, until)
        if ahead(high) == found[-1][1]:
            continue
        while high - low > BUCKET_SECONDS:  # the change is in between
            middle = (low + high) // 2 // BUCKET_SECONDS * BUCKET_SECONDS
            low, high = (middle, high) if ahead(middle) == found[-1][1] else (low, middle)
        found.append((high, ahead(high)))
    return found


def _start(cursor: str | None, groups: Sequence[GroupBy]) -> tuple[str | int, ...] | None:
    """The groups in a cursor. Raises `InvalidRequest` when it is that of another grouping."""
    start = after(cursor, tuple[str | int, ...])
    kinds = [int if group in {"day", "hour"} else str for group in groups]
    if start is not None and [type(part) for part in start] != kinds:
        raise unknown_cursor()
    return start


def _sums(row: Any) -> dict[str, Any]:
    sums = {name: int(getattr(row, name) or 0) for name in MEASURES}
    nano = sums.pop("cost")
    return {**sums, "cost": nano / NANO, "cost_nano": nano}


def _named(row: Any, groups: Sequence[GroupBy], names: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {group: getattr(row, group) for group in groups}
    if "day" in found:
        found["day"] = _EPOCH + timedelta(days=found["day"])
    if "hour" in found:
        found["hour"] = moment(found["hour"])
    if "key" in found:
        found["key_name"] = names.get(found["key"])
    return found


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/usage",
        permission="usage.read",
        handler=show,
        summary="Add up usage by model, key, provider, day or hour",
        query=UsageFilters,
        answer=Usage,
    ),
)
