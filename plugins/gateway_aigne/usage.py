"""`/api/usage/…`: what somebody has used, from the calls that are theirs. The hub's projects are keys here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse, Response

from gateway.errors import InvalidRequest
from gateway.store.tenant_calls import DAY, sum_tenant_calls
from gateway.store.usage import key_names
from gateway.types import NANO
from gateway_aigne.credit import CURRENCY, text
from gateway_aigne.query import calls_within, page_of, span_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Row
    from starlette.requests import Request

    from gateway.doors import Visit
    from gateway.plugin import Context
    from gateway.store.tenant_calls import By
    from gateway_aigne.credit import Credit
    from gateway_aigne.query import Span

_PAGE: Final = 20
_TOP: Final = 5
_LONG: Final = 999
"""Days that credits last of which nothing is used, in the hub's figures."""


class Usage:
    """Adds up calls."""

    def __init__(self, context: Context, credit: Credit) -> None:
        self._database = context.database
        self._credit = credit

    async def quota(self, visit: Visit, request: Request) -> Response:
        """Tell what credit there is, and how long it will last as it was used of late."""
        span = span_of(request)
        spent = sum(row.charge or 0 for row in await self._sums(visit, request, span, ()))
        daily = spent / NANO / span.days
        account = await self._credit.account(visit.principal)
        balance = 0 if account is None else account.balance
        remaining = max(0, balance) / NANO
        lasts = (max(1, int(remaining / daily)) if daily else _LONG) if remaining else 0
        return JSONResponse(
            {
                "total": 0.0 if account is None else account.granted / NANO,
                "remaining": remaining,
                "used": spent / NANO if account is None else account.used / NANO,
                "pendingCredit": max(0, -balance) / NANO,
                "estimatedDaysRemaining": min(lasts, _LONG),
                "dailyAvgCredits": daily,
                "currency": None if account is None else CURRENCY,
            }
        )

    async def models(self, visit: Visit, request: Request) -> Response:
        """List the models that were called most."""
        return await self._models(visit, request, everybody=False)

    async def everybodys_models(self, visit: Visit, request: Request) -> Response:
        """List the models that were called most in the tenant. Raises `PermissionDenied`."""
        return await self._models(visit, request, everybody=True)

    async def _models(self, visit: Visit, request: Request, *, everybody: bool) -> Response:
        rows = await self._sums(visit, request, span_of(request), ("provider", "model"), everybody=everybody)
        top = sorted(rows, key=lambda row: -row.calls)[:_TOP]
        listed = [
            {
                "providerId": row.provider or "",
                "provider": {
                    "id": row.provider or "",
                    "name": row.provider or "",
                    "displayName": row.provider or "",
                },
                "model": row.model,
                "totalCalls": row.calls,
                "totalCredits": _credits(row),
            }
            for row in top
        ]
        return JSONResponse({"modelStats": {"list": listed, "totalModelCount": len(rows)}})

    async def projects(self, visit: Visit, request: Request) -> Response:
        """List keys with what they have used."""
        query, page = request.query_params, page_of(request, _PAGE)
        rows = [*await self._sums(visit, request, span_of(request), ("key",))]
        by_credits, up = query.get("sortBy") == "totalCredits", query.get("sortOrder", "").lower() == "asc"
        rows.sort(key=lambda row: (row.charge or 0) if by_credits else row.calls, reverse=not up)
        names = await self._names(visit, (row.key for row in rows))
        listed = [
            {
                **_project(row.key, names),
                "totalCalls": row.calls,
                "totalCredits": _credits(row),
                "avgDuration": _average(row.seconds, row.calls),
                "successRate": 100 * row.succeeded / row.calls,
                "lastCallTime": int(row.last),
            }
            for row in rows[page.entries]
        ]
        return JSONResponse(
            {"projects": listed, "total": len(rows), "page": page.number, "pageSize": page.size}
        )

    async def project_trends(self, visit: Visit, request: Request) -> Response:
        """Tell how one key was used over time."""
        key = request.query_params.get("appDid")
        if not key:
            raise InvalidRequest("Missing required parameter: 'appDid'.", param="appDid")
        rows = await self._sums(visit, request, span_of(request), ("at",))
        names = await self._names(visit, (key,))
        return JSONResponse({"project": _project(key, names), "trends": [_moment(row) for row in rows]})

    async def group_trends(self, visit: Visit, request: Request) -> Response:
        """Tell how each key was used over time."""
        span = span_of(request)
        rows = await self._sums(visit, request, span, ("at", "key"))
        last: dict[str | None, float] = {}
        moments: dict[int, dict[str, Any]] = {}
        for row in rows:
            last[row.key] = max(last.get(row.key, 0), row.last)
            moments.setdefault(row.at, {})[row.key or ""] = _stats(row)
        names = await self._names(visit, last)
        found = sorted(last.items(), key=lambda item: -item[1])
        return JSONResponse(
            {
                "projects": [{**_project(key, names), "lastCallTime": int(at)} for key, at in found],
                "trends": [{"timestamp": at, "byProject": by} for at, by in sorted(moments.items())],
                "granularity": "day" if span.step == DAY else "hour",
            }
        )

    async def trends(self, visit: Visit, request: Request) -> Response:
        """Tell how everybody in the tenant has used it over time. Raises `PermissionDenied`."""
        rows = await self._sums(visit, request, span_of(request), ("at",), everybody=True)
        return JSONResponse(
            {"trends": [{**_moment(row), "successRate": 100 * row.succeeded / row.calls} for row in rows]}
        )

    async def of_app(self, visit: Visit, request: Request) -> Response:
        """List what a component has used, by model and day (UTC)."""
        span = span_of(request)
        which = calls_within(request, visit.principal, span)
        rows = await sum_tenant_calls(
            self._database, visit.principal.tenant, which, by=("model", "at"), step=DAY
        )
        listed = [
            {
                "model": row.model,
                "date": datetime.fromtimestamp(row.at, UTC).date().isoformat(),
                "usedCredits": text(row.charge or 0),
                "promptTokens": row.prompt_tokens or 0,
                "completionTokens": row.completion_tokens or 0,
            }
            for row in sorted(rows, key=lambda row: (row.at, row.model))
        ]
        return JSONResponse({"list": listed})

    async def _sums(
        self, visit: Visit, request: Request, span: Span, by: Sequence[By], *, everybody: bool = False
    ) -> Sequence[Row[Any]]:
        principal = visit.principal
        which = calls_within(request, principal, span, everybody=everybody)
        rows = await sum_tenant_calls(
            self._database, principal.tenant, which, by=by, step=span.step, ahead=span.ahead
        )
        return sorted(rows, key=lambda row: row.at) if "at" in by else rows

    async def _names(self, visit: Visit, keys: Iterable[str | None]) -> Mapping[str, str]:
        wanted = {key for key in keys if key}
        return await key_names(self._database, visit.principal.tenant, wanted) if wanted else {}


def _project(key: str | None, names: Mapping[str, str]) -> dict[str, Any]:
    """A key as a project; calls of a session are those of none."""
    return {
        "appDid": key or "",
        "appName": names.get(key or "", key or "Signed in"),
        "appLogo": "",
        "appUrl": "",
    }


def _stats(row: Row[Any]) -> dict[str, Any]:
    return {
        "totalCalls": row.calls,
        "successCalls": row.succeeded,
        "totalCredits": _credits(row),
        "totalUsage": _tokens(row),
        "avgDuration": _average(row.seconds, row.calls),
        "avgTtfb": _average(row.first_byte, row.calls),
    }


def _moment(row: Row[Any]) -> dict[str, Any]:
    stats = _stats(row)
    return {"timestamp": row.at, "calls": stats.pop("totalCalls"), **stats}


def _tokens(row: Row[Any]) -> int:
    return (row.prompt_tokens or 0) + (row.completion_tokens or 0)


def _credits(row: Row[Any]) -> float:
    return (row.charge or 0) / NANO


def _average(seconds: float | None, calls: int) -> float:
    return round((seconds or 0) / calls, 1)
