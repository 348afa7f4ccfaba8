"""`/api/user/…`: who calls, and what they have called."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse, Response

from gateway.errors import InvalidRequest, PermissionDenied
from gateway.store.calls import as_cell, as_record
from gateway.store.tenant_calls import CallFilter, Own, count_tenant_calls, list_tenant_calls
from gateway.store.users import get_user

if TYPE_CHECKING:
    from starlette.requests import Request

    from gateway.plugin import Context
    from gateway.protocols import Visit
    from gateway.types import Principal, Status

_MOST: Final = 100
"""Calls on a page."""
_DEEPEST: Final = 10_000
"""How far back pages and exports go."""
_TYPES: Final = {"chat": "chatCompletion", "image": "imageGeneration", "speech": "audioGeneration"}
_KINDS: Final = {name: kind for kind, name in _TYPES.items()}
_STATUSES: Final[dict[str, Sequence[Status]]] = {
    "success": ("success",),
    "failed": ("failed", "cancelled"),
    "processing": ("processing",),
}
_COLUMNS: Final = (
    *("id", "callTime", "requestId", "model", "providerId", "type", "status", "totalUsage", "credits"),
    *("duration", "userDid", "appDid", "errorReason"),
)


class Account:
    """Tells callers about themselves."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def info(self, visit: Visit, _request: Request) -> Response:
        """Tell who it is. Credits are told when billing is enabled."""
        principal = visit.principal
        did, name, email = principal.user or principal.key or "", principal.key_name or "", ""
        user = await get_user(self._context.database, principal.user) if principal.user else None
        if user is not None:
            name, email = user.name, user.email or ""
            identities = await self._context.sessions.identities_of(user.id)
            did = next((one.subject for one in identities if one.kind == "did"), did)
        return JSONResponse(
            {
                "user": {"did": did, "fullName": name, "email": email, "avatar": ""},
                "creditBalance": None,
                "paymentLink": None,
                "currency": None,
                "enableCredit": False,
                "profileLink": None,
                "creditPrefix": "$",
            }
        )

    async def calls(self, visit: Visit, request: Request) -> Response:
        """List calls, newest first: one's own, or with `allUsers=true` the tenant's."""
        query = request.query_params
        page, size = _number(query.get("page"), "page", 1), _number(query.get("pageSize"), "pageSize", 50)
        size = min(size, _MOST)
        if page * size > _DEEPEST:
            raise InvalidRequest(
                f"Pages go back {_DEEPEST} calls; choose a shorter time with startTime and endTime.",
                param="page",
            )
        which = _meant(request, visit.principal)
        database, tenant = self._context.database, visit.principal.tenant
        rows = await list_tenant_calls(database, tenant, which, limit=page * size)
        count = await count_tenant_calls(database, tenant, which)
        return JSONResponse(
            {
                "count": count,
                "list": [_shown(as_record(row)) for row in rows[(page - 1) * size :]],
                "paging": {"page": page, "pageSize": size},
            }
        )

    async def export(self, visit: Visit, request: Request) -> Response:
        """Send calls as CSV (RFC 4180) that no spreadsheet takes for formulas; at most 10,000."""
        principal = visit.principal
        rows = await list_tenant_calls(
            self._context.database, principal.tenant, _meant(request, principal), limit=_DEEPEST
        )
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(_COLUMNS)
        for row in rows:
            call = _shown(as_record(row))
            writer.writerow([as_cell(call[name]) for name in _COLUMNS])
        return Response(
            text.getvalue(),
            media_type="text/csv; charset=utf-8",
            headers={"content-disposition": 'attachment; filename="model-calls.csv"'},
        )


def _meant(request: Request, principal: Principal) -> CallFilter:
    """Which calls are asked for. Raises `PermissionDenied` for other people's without the permission to see them."""
    query = request.query_params
    everybody = query.get("allUsers") == "true"
    if everybody and not principal.may("calls.read"):
        raise PermissionDenied("To see everybody's calls, the permission 'calls.read' is needed.")
    status, kind = query.get("status"), query.get("type")
    if status and status not in _STATUSES:
        raise InvalidRequest(f"Invalid 'status': expected one of {', '.join(_STATUSES)}.", param="status")
    return CallFilter(
        own=None if everybody else Own(user=principal.user, key=principal.key),
        since=_moment(query.get("startTime"), "startTime"),
        until=_moment(query.get("endTime"), "endTime"),
        statuses=_STATUSES[status] if status else (),
        model=query.get("model") or None,
        provider=query.get("providerId") or None,
        capability=_KINDS.get(kind, kind) if kind else None,
        search=query.get("search") or None,
    )


def _shown(record: dict[str, Any]) -> dict[str, Any]:
    """A call by the hub's names; time in Unix seconds is the caller's, duration in seconds."""
    error: dict[str, Any] = record["error"] or {}
    duration = record["duration_ms"]
    tokens = (record["prompt_tokens"] or 0) + (record["completion_tokens"] or 0)
    return {
        "id": record["id"],
        "callTime": record["received_at"],
        "requestId": record["request_id"],
        "traceId": record["client_request_id"],
        "model": record["upstream_model"] or record["model"],
        "providerId": record["provider"],
        "type": _TYPES.get(record["capability"], record["capability"]),
        "status": "failed" if record["status"] == "cancelled" else record["status"],
        "totalUsage": tokens,
        "usageMetrics": {
            "inputTokens": record["prompt_tokens"],
            "outputTokens": record["completion_tokens"],
            **(record["units"] or {}),
        },
        "credits": record["cost"],
        "duration": None if duration is None else round(duration / 1000, 1),
        "userDid": record["user"],
        "appDid": record["key"],
        "errorReason": error.get("message"),
    }


def _number(value: str | None, name: str, usual: int) -> int:
    if not value:
        return usual
    if not (value.isascii() and value.isdigit() and len(value) <= 6 and int(value) > 0):  # noqa: PLR2004 - digits
        raise InvalidRequest(f"Invalid '{name}': expected a number from 1 on.", param=name)
    return int(value)


def _moment(value: str | None, name: str) -> float | None:
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= 11):  # noqa: PLR2004 - digits
        raise InvalidRequest(f"Invalid '{name}': expected Unix seconds.", param=name)
    return float(value)
