"""What the hub's clients ask for in a query: pages, times, and whose calls."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from gateway.errors import InvalidRequest, PermissionDenied
from gateway.store.tenant_calls import DAY, CallFilter, Own

if TYPE_CHECKING:
    from starlette.requests import Request

    from gateway.types import Principal

DEEPEST: Final = 10_000
"""How far back pages and exports go."""

_LARGEST_PAGE: Final = 100
_HOUR: Final = 3600
_USUAL_DAYS: Final = 30
_MOST_DAYS: Final = 92
_MOST_OFFSET: Final = 14 * 60
"""Minutes between a time zone and UTC."""


class Page(Struct, frozen=True):
    """A page of a list."""

    number: int
    size: int

    @property
    def until(self) -> int:
        """How many entries there are before its end."""
        return self.number * self.size

    @property
    def entries(self) -> slice:
        """Its own among those."""
        return slice(self.until - self.size, self.until)


class Span(Struct, frozen=True):
    """A time, in Unix seconds, cut into steps of the client's time zone."""

    since: float
    until: float
    ahead: int
    """Seconds by which the zone is ahead of UTC."""

    @property
    def days(self) -> float:
        """How long it is."""
        return max((self.until - self.since) / DAY, 1.0)

    @property
    def step(self) -> int:
        """A day; for a single day, an hour."""
        return DAY if self.until - self.since > DAY else _HOUR


def page_of(request: Request, usual: int) -> Page:
    """Read `page` and `pageSize`. Raises `InvalidRequest`."""
    query = request.query_params
    page = Page(
        _number(query.get("page"), "page", 1),
        min(_number(query.get("pageSize"), "pageSize", usual), _LARGEST_PAGE),
    )
    if page.until > DEEPEST:
        raise InvalidRequest(
            f"Pages go back {DEEPEST} entries; choose a shorter time with startTime and endTime.",
            param="page",
        )
    return page


def span_of(request: Request) -> Span:
    """Read `startTime`, `endTime`, `timeRange` (days) and `timezoneOffset` (minutes). Raises `InvalidRequest`."""
    query, now = request.query_params, time.time()
    until = min(moment_of(query.get("endTime"), "endTime") or now, now)
    days = _number(query.get("timeRange"), "timeRange", _USUAL_DAYS)
    since = moment_of(query.get("startTime"), "startTime")
    since = until - days * DAY if since is None else min(since, until)
    if until - since > _MOST_DAYS * DAY:
        raise InvalidRequest(
            f"Usage is added up over at most {_MOST_DAYS} days: choose a shorter time.", param="startTime"
        )
    offset = query.get("timezoneOffset") or "0"
    digits = offset.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 3 and int(digits) <= _MOST_OFFSET):  # noqa: PLR2004 - digits
        raise InvalidRequest("Invalid 'timezoneOffset': expected minutes from UTC.", param="timezoneOffset")
    return Span(since, until, -60 * int(offset))  # as JavaScript tells it: west of Greenwich it is positive


def whose(request: Request, principal: Principal, *, everybody: bool = False) -> Own | None:
    """Whose calls are asked for; None for everybody's in the tenant.

    Raises `PermissionDenied` for other people's without the permission to see them.
    """
    query = request.query_params
    if not everybody and (query.get("allUsers") or query.get("allUser")) not in {"true", "1"}:
        return Own(user=principal.user, key=principal.key)
    if not principal.may("calls.read"):
        raise PermissionDenied("To see everybody's calls, the permission 'calls.read' is needed.")
    return None


def calls_within(
    request: Request, principal: Principal, span: Span, *, everybody: bool = False
) -> CallFilter:
    """The calls of a time that the caller asks for, perhaps of one key: `appDid`. Raises as `whose` does."""
    key = request.query_params.get("appDid") or None
    return CallFilter(
        own=whose(request, principal, everybody=everybody), since=span.since, until=span.until, key=key
    )


def moment_of(value: str | None, name: str) -> float | None:
    """Read Unix seconds. Raises `InvalidRequest`."""
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= 11):  # noqa: PLR2004 - digits
        raise InvalidRequest(f"Invalid '{name}': expected Unix seconds.", param=name)
    return float(value)


def _number(value: str | None, name: str, usual: int) -> int:
    if not value:
        return usual
    if not (value.isascii() and value.isdigit() and len(value) <= 6 and int(value) > 0):  # noqa: PLR2004 - digits
        raise InvalidRequest(f"Invalid '{name}': expected a number from 1 on.", param=name)
    return int(value)
