"""`/api/user/…`: who calls, what they have, and what they have called."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse, Response

from gateway.errors import InvalidRequest
from gateway.store.calls import as_cell, as_record
from gateway.store.tenant_calls import CallFilter, count_tenant_calls, list_tenant_calls
from gateway.store.users import get_user
from gateway_aigne.credit import CURRENCY, shown
from gateway_aigne.query import DEEPEST, moment_of, page_of, whose

if TYPE_CHECKING:
    from starlette.requests import Request

    from gateway.doors import Visit
    from gateway.plugin import Context
    from gateway.types import Principal, Status
    from gateway_aigne.credit import Credit

_PAGE: Final = 50
_TYPES: Final = {"chat": "chatCompletion", "image": "imageGeneration", "speech": "audioGeneration"}
_KINDS: Final = {name: kind for kind, name in _TYPES.items()}
_STATUSES: Final[dict[str, Sequence[Status]]] = {
    "success": ("success",),
    "failed": ("failed", "cancelled"),
    "processing": ("processing",),
}
_ALL: Final = "all"
_COLUMNS: Final = (
    *("id", "callTime", "requestId", "model", "providerId", "type", "status", "totalUsage", "credits"),
    *("duration", "userDid", "appDid", "errorReason"),
)


class Account:
    """Tells callers about themselves."""

    def __init__(self, context: Context, credit: Credit) -> None:
        self._context = context
        self._credit = credit

    async def info(self, visit: Visit, _request: Request) -> Response:
        """Tell who it is, and what credit there is where a plugin keeps it."""
        principal = visit.principal
        did, name, email = principal.user or principal.key or "", principal.key_name or "", ""
        user = await get_user(self._context.database, principal.user) if principal.user else None
        if user is not None:
            name, email = user.name, user.email or ""
            identities = await self._context.sessions.identities_of(user.id)
            did = next((one.subject for one in identities if one.kind == "did"), did)
        account = await self._credit.account(principal)
        return JSONResponse(
            {
                "user": {"did": did, "fullName": name, "email": email, "avatar": ""},
                "creditBalance": None if account is None else shown(account),
                "paymentLink": None if account is None else account.payment_url,
                "currency": None if account is None else CURRENCY,
                "enableCredit": account is not None,
                "profileLink": None,
                "creditPrefix": "$",
            }
        )

    async def calls(self, visit: Visit, request: Request) -> Response:
        """List calls, newest first: one's own, or with `allUsers=true` the tenant's."""
        page = page_of(request, _PAGE)
        which = _meant(request, visit.principal)
        database, tenant = self._context.database, visit.principal.tenant
        rows = await list_tenant_calls(database, tenant, which, limit=page.until)
        count = await count_tenant_calls(database, tenant, which)
        return JSONResponse(
            {
                "count": count,
                "list": [_shown(as_record(row)) for row in rows[page.entries]],
                "paging": {"page": page.number, "pageSize": page.size},
            }
        )

    async def export(self, visit: Visit, request: Request) -> Response:
        """Send calls as CSV (RFC 4180) that no spreadsheet takes for formulas; at most 10,000."""
        principal = visit.principal
        rows = await list_tenant_calls(
            self._context.database, principal.tenant, _meant(request, principal), limit=DEEPEST
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
    own = whose(request, principal)
    status, kind = query.get("status"), query.get("type")
    if status and status not in (*_STATUSES, _ALL):
        raise InvalidRequest(f"Invalid 'status': expected one of {', '.join(_STATUSES)}.", param="status")
    return CallFilter(
        own=own,
        since=moment_of(query.get("startTime"), "startTime"),
        until=moment_of(query.get("endTime"), "endTime"),
        statuses=_STATUSES.get(status, ()) if status else (),
        model=query.get("model") or None,
        provider=query.get("providerId") or None,
        capability=_KINDS.get(kind, kind) if kind else None,
        key=query.get("appDid") or None,
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
