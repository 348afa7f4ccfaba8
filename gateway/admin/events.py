"""`/events`: what happened to a tenant's money beside calls; `/gateway/sinks`: how sinks take events, and sending again."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from pydantic import Field, model_validator

from gateway.admin.endpoint import Endpoint
from gateway.admin.paging import after, page
from gateway.admin.request import AdminRequest
from gateway.admin.shapes import Body, Page, PageQuery, Query, Shown, moment
from gateway.errors import InvalidRequest
from gateway.store.notices import Notice, list_notices
from gateway.store.sinks import (
    DeadLetter,
    SinkState,
    letters,
    replay_calls,
    replay_dead,
    replay_period,
    states,
)

_MANY = 1000


class EventShown(Shown):
    """What sinks are told of."""

    id: str
    kind: str = Field(description="adjustment, refund, credit_note, invoice_run, balance or budget.")
    user: str | None
    at: datetime
    data: dict[str, Any] = Field(description="By the kind; see docs/events.md.")


class SinkShown(Shown):
    """How delivering to a sink goes."""

    name: str
    configured: bool = Field(description="False for one that was, and has left something behind.")
    waiting: int = Field(description="Calls and other events that it has not yet taken.")
    lag_seconds: float = Field(description="Since the oldest of them.")
    dead: int = Field(description="What it will not take: see its dead letters.")
    delivered: int
    delivered_at: datetime | None
    failed_at: datetime | None
    error: str | None = Field(description="The last one, which may be long over: compare the times.")


class Sinks(Shown):
    """All sinks."""

    data: list[SinkShown]


class DeadLetterShown(Shown):
    """A call or another event that a sink will not take."""

    id: str
    attempts: int
    error: str
    died_at: datetime


class Replay(Body):
    """What a sink is to be sent again: one of the three."""

    dead: bool = Field(default=False, description="Its dead letters.")
    ids: list[str] = Field(default=[], max_length=_MANY, description="Calls and other events.")
    since: datetime | None = Field(strict=False, default=None, description="All that ended from then on.")
    until: datetime | None = Field(
        strict=False, default=None, description="And before then; unless told, now."
    )

    @model_validator(mode="after")
    def _one(self) -> Replay:
        if [self.dead, bool(self.ids), self.since is not None].count(True) != 1:
            raise ValueError("give one of `dead`, `ids` and `since`")
        if self.until is not None and self.since is None:
            raise ValueError("`until` goes with `since`")
        for each in (self.since, self.until):
            if each is not None and each.tzinfo is None:
                raise ValueError("a time names its offset from UTC, as `2026-01-01T00:00:00Z`")
        return self


class Replayed(Shown):
    """What was done."""

    sent: int = Field(
        description="How many are in the outbox again; those that waited there already are not counted."
    )


async def list_events(request: AdminRequest[PageQuery, None]) -> Page[EventShown]:
    """List the tenant's events, the newest first."""
    limit, start = request.query.limit, after(request.query.cursor, tuple[float, str])
    rows = await list_notices(request.database, request.tenant, after=start, limit=limit + 1)
    shown, cursor = page(rows, limit, lambda row: (row.at, row.id))
    return Page[EventShown](data=[_event(row) for row in shown], next_cursor=cursor)


async def list_sinks(request: AdminRequest[Query, None]) -> Sinks:
    """List all sinks."""
    configured = request.services.sinks
    found = await states(request.database, configured)
    return Sinks(data=[_sink(state, configured=state.sink in configured) for state in found])


async def list_letters(request: AdminRequest[PageQuery, None]) -> Page[DeadLetterShown]:
    """List what a sink will not take, the newest first."""
    sink, limit = _known(request, also_left=True), request.query.limit
    start = after(request.query.cursor, tuple[float, str])
    found = await letters(request.database, sink=sink, limit=limit + 1, after=start)
    shown, cursor = page(found, limit, lambda letter: (letter.died_at, letter.call))
    return Page[DeadLetterShown](data=[_letter(letter) for letter in shown], next_cursor=cursor)


async def replay(request: AdminRequest[Query, Replay]) -> Replayed:
    """Send events to a sink again."""
    sink, what, database = _known(request), request.body, request.database
    if what.dead:
        sent = await replay_dead(database, sink, request.actor)
    elif what.since is None:
        sent = await replay_calls(database, sink, what.ids, request.actor)
    else:
        until = time.time() if what.until is None else what.until.timestamp()
        sent = await replay_period(database, sink, what.since.timestamp(), until, request.actor)
    return Replayed(sent=sent)


def _known(request: AdminRequest[Any, Any], *, also_left: bool = False) -> str:
    name = request.path["name"]
    if not also_left and name not in request.services.sinks:
        there = ", ".join(sorted(request.services.sinks)) or "none"
        raise InvalidRequest(f"No sink is called {name!r}. There are: {there}.", status=404, code="not_found")
    return name


def _event(row: Notice) -> EventShown:
    return EventShown(id=row.id, kind=row.kind, user=row.user, at=moment(row.at), data=dict(row.data))


def _sink(state: SinkState, *, configured: bool) -> SinkShown:
    return SinkShown(
        name=state.sink,
        configured=configured,
        waiting=state.waiting,
        lag_seconds=round(state.lag, 3),
        dead=state.dead,
        delivered=state.delivered,
        delivered_at=moment(state.delivered_at),
        failed_at=moment(state.failed_at),
        error=state.error,
    )


def _letter(letter: DeadLetter) -> DeadLetterShown:
    return DeadLetterShown(
        id=letter.call, attempts=letter.attempts, error=letter.error, died_at=moment(letter.died_at)
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/events",
        permission="billing.read",
        handler=list_events,
        summary="List refunds, adjustments, credit notes, months of invoices, low balances and reached budgets, the newest first",
        query=PageQuery,
        answer=Page[EventShown],
    ),
    Endpoint(
        method="GET",
        path="/gateway/sinks",
        permission="gateway.billing",
        handler=list_sinks,
        summary="Show for each sink what waits for it, its dead letters and its last error",
        answer=Sinks,
    ),
    Endpoint(
        method="GET",
        path="/gateway/sinks/{name}/dead-letters",
        permission="gateway.billing",
        handler=list_letters,
        summary="List what a sink will not take, the newest first",
        query=PageQuery,
        answer=Page[DeadLetterShown],
    ),
    Endpoint(
        method="POST",
        path="/gateway/sinks/{name}/replay",
        permission="gateway.billing",
        handler=replay,
        summary="Send a sink its dead letters, calls and events by id, or all of a period, again",
        body=Replay,
        answer=Replayed,
        status=200,
    ),
)
