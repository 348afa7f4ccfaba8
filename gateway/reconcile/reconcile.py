"""Compares the ledger with exports, day by day and model by model, or request by request."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.json import decode
from msgspec.structs import replace

from gateway.errors import GatewayError
from gateway.reconcile.compare import Difference, Tolerance, added, stems
from gateway.reconcile.export import Bucket, Export, Line, day_of
from gateway.store.reconciling import Span, each_call, suspects, used_models

if TYPE_CHECKING:
    from sqlalchemy import Row

    from gateway.store.database import Database

ALL: Final = "*"
_LATE: Final = 3600.0
"""Seconds by which a provider may tell of a request earlier or later than the ledger does."""


class Result(Struct, frozen=True, kw_only=True):
    """What came of a comparison."""

    days: int
    figures: int
    """How many were compared."""
    differences: Sequence[Difference]


class Question(Struct, frozen=True, kw_only=True):
    """What is compared. Times are Unix seconds at borders of the exports' buckets; None is without limit."""

    provider: str
    """The instance's name."""
    since: float | None = None
    until: float | None = None
    tolerance: Tolerance = Tolerance()
    aliases: Mapping[str, str] = {}
    """The ledger's names of models by those of the export, where they differ: Azure's deployments, for one."""
    calls: int = 5
    """How many calls are named with a difference at most."""


async def reconcile(database: Database, exports: Sequence[Export], question: Question) -> Result:
    """Compare; only what the exports tell of is looked at. Raises `GatewayError`, `Unavailable`."""
    days: set[str] = set()
    figures = 0
    differences: list[Difference] = []
    for export in exports:
        ordered = sorted(export.buckets, key=lambda bucket: bucket.start)
        buckets = [bucket for bucket in ordered if _wanted(bucket, question)]
        days.update(day_of(bucket.start) for bucket in buckets)
        compare = _by_request if export.by_request else _by_model
        count, found = await compare(database, export, buckets, question)
        figures += count
        differences += found
    if not days:
        raise GatewayError("The exports tell nothing of that time.")
    return Result(days=len(days), figures=figures, differences=differences)


def _wanted(bucket: Bucket, question: Question) -> bool:
    for border in (question.since, question.until):
        if border is not None and bucket.start < border < bucket.end:
            raise GatewayError(
                f"The export has one figure for all of {day_of(bucket.start)} around --since or --until; "
                "take a border of its buckets, such as midnight UTC."
            )
    after = question.since is None or bucket.start >= question.since
    return after and (question.until is None or bucket.end <= question.until)


def _spans(export: Export, buckets: Sequence[Bucket], question: Question) -> list[Span]:
    """The time that buckets cover; those that follow each other are one span."""
    times: list[tuple[float, float]] = []
    for bucket in buckets:
        if times and times[-1][1] == bucket.start:
            times[-1] = (times[-1][0], bucket.end)
        else:
            times.append((bucket.start, bucket.end))
    return [
        Span(provider=question.provider, since=since, until=until, capabilities=export.capabilities)
        for since, until in times
    ]


async def _by_model(
    database: Database, export: Export, buckets: Sequence[Bucket], question: Question
) -> tuple[int, list[Difference]]:
    figures = 0
    differences: list[Difference] = []
    for day, group in itertools.groupby(buckets, key=lambda bucket: day_of(bucket.start)):
        count, found = await _of_day(database, export, day, list(group), question)
        figures += count
        differences += found
    return figures, differences


async def _of_day(
    database: Database, export: Export, day: str, buckets: Sequence[Bucket], question: Question
) -> tuple[int, list[Difference]]:
    told = [line for bucket in buckets for line in bucket.lines]
    spans = _spans(export, buckets, question)
    held = [item for span in spans for item in (await used_models(database, span)).items()]
    is_split = _tells_models(export)
    theirs = [(_model(line, question) if is_split else ALL, line.values) for line in told]
    names = stems({name for name, _ in [*theirs, *held]})
    provider = added((names[name], values) for name, values in theirs)
    ledger = added((names[name] if is_split else ALL, values) for name, values in held)
    differences: list[Difference] = []
    models = sorted({*provider, *ledger})
    for model in models:
        upstream = [name for name, _ in held if names[name] == model] if is_split else None
        ids: tuple[str, ...] | None = None
        for measure in export.measures:
            mine, other = ledger.get(model, {}).get(measure, 0), provider.get(model, {}).get(measure, 0)
            if mine == other:
                continue
            if ids is None:
                ids = await _suspects(database, spans, upstream, question.calls)
            beyond = question.tolerance.beyond(mine, other)
            differences.append(_one(export, day, model, measure, (mine, other), beyond=beyond, calls=ids))
    return len(models) * len(export.measures), differences


def _tells_models(export: Export) -> bool:
    """Whether the export tells models apart: one that does not names none at all."""
    lines = [line for bucket in export.buckets for line in bucket.lines]
    return not lines or any(line.model is not None for line in lines)


def _model(line: Line, question: Question) -> str:
    name = line.model or "(no model)"
    return question.aliases.get(name, name)


async def _suspects(
    database: Database, spans: Sequence[Span], models: Sequence[str] | None, limit: int
) -> tuple[str, ...]:
    found = [row.id for span in spans for row in await suspects(database, span, models, limit=limit)]
    return tuple(found[:limit])


async def _by_request(
    database: Database, export: Export, buckets: Sequence[Bucket], question: Question
) -> tuple[int, list[Difference]]:
    """Find each line's call by its id, its request id, or the client's; then the calls that no line tells of."""
    told = _requests(buckets)
    lines: list[Difference] = []
    unseen: dict[str, Row[Any]] = {}
    by_name: dict[str, Row[Any]] = {}
    for span in _spans(export, buckets, question):
        wide = replace(span, since=span.since - _LATE, until=span.until + _LATE)
        for row in await each_call(database, wide):
            names = (row.client_request_id, row.request_id, row.id)
            by_name.update((name, row) for name in names if name in told)
            if span.since <= row.received_at < span.until:
                unseen[row.id] = row
    for request, (day, line) in told.items():
        row = by_name.get(request)
        if row is None:
            lines.append(
                _one(export, day, _model(line, question), "calls", (0, 1), request=request, beyond=True)
            )
            continue
        unseen.pop(row.id, None)
        for measure in export.measures:
            figures = _held(row, measure), line.values[measure]
            if figures[0] != figures[1]:
                beyond = question.tolerance.beyond(*figures)
                model = row.upstream_model
                lines.append(
                    _one(
                        export, day, model, measure, figures, request=request, beyond=beyond, calls=(row.id,)
                    )
                )
    for row in unseen.values():
        day, model = day_of(row.received_at), row.upstream_model
        lines.append(_one(export, day, model, "calls", (1, 0), beyond=True, calls=(row.id,)))
    return len(told) * (1 + len(export.measures)) + len(unseen), lines


def _requests(buckets: Sequence[Bucket]) -> dict[str, tuple[str, Line]]:
    """The day and the line of each request; one that has several lines, as for each kind of token, is added up."""
    told: dict[str, tuple[str, Line]] = {}
    for bucket in buckets:
        for line in bucket.lines:
            request = line.request or ""
            if request in told:
                sums = added([("", told[request][1].values), ("", line.values)])[""]
                told[request] = told[request][0], replace(line, values=sums)
            else:
                told[request] = day_of(bucket.start), line
    return told


def _one(
    export: Export,
    day: str,
    model: str,
    measure: str,
    figures: tuple[int, int],
    *,
    beyond: bool,
    calls: tuple[str, ...] = (),
    request: str | None = None,
) -> Difference:
    ledger, provider = figures
    return Difference(
        kind=export.kind,
        day=day,
        model=model,
        measure=measure,
        ledger=ledger,
        provider=provider,
        beyond=beyond,
        request=request,
        calls=calls,
    )


def _held(row: Row[Any], measure: str) -> int:
    if measure == "cost":
        return row.adjusted_cost
    if measure in {"images", "seconds", "characters"}:
        return 0 if row.units is None else round(decode(row.units).get(measure, 0))
    return getattr(row, measure) or 0
