"""`/tenants`: all of them, for the operator."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Final

from starlette.responses import Response, StreamingResponse

from gateway.admin.endpoint import Endpoint
from gateway.admin.paging import after, page
from gateway.admin.request import AdminRequest
from gateway.admin.shapes import Page, PageQuery, Query
from gateway.admin.tenant_shapes import (
    Confirmation,
    ErasedShown,
    NewTenant,
    TenantChange,
    TenantShown,
    settings_of,
    shown,
)
from gateway.errors import InvalidRequest
from gateway.store.erasure import erase_tenant
from gateway.store.export import export_tenant
from gateway.store.tenants import (
    change_tenant,
    create_tenant,
    get_tenant,
    list_tenants,
    resume_tenant,
    suspend_tenant,
)

MEDIA: Final = "application/jsonl"


async def list_(request: AdminRequest[PageQuery, None]) -> Page[TenantShown]:
    """List all tenants."""
    query = request.query
    rows = await list_tenants(
        request.database, after=after(query.cursor, tuple[float, str]), limit=query.limit + 1
    )
    found, cursor = page(rows, query.limit, lambda row: (row.created_at, row.id))
    return Page[TenantShown](data=[shown(row) for row in found], next_cursor=cursor)


async def create(request: AdminRequest[Query, NewTenant]) -> TenantShown:
    """Create one."""
    made = await create_tenant(
        request.database, request.body.id, settings_of(request.body), actor=request.actor
    )
    return shown(made)


async def show(request: AdminRequest[Query, None]) -> TenantShown:
    """Show one."""
    return shown(await get_tenant(request.database, request.path["id"]))


async def change(request: AdminRequest[Query, TenantChange]) -> TenantShown:
    """Change one."""
    return await change_tenant_of(request, request.path["id"])


async def suspend(request: AdminRequest[Query, None]) -> TenantShown:
    """Refuse its calls."""
    row = await suspend_tenant(
        request.database, request.path["id"], operator_tenant=_operator(request), actor=request.actor
    )
    return shown(row)


async def resume(request: AdminRequest[Query, None]) -> TenantShown:
    """Serve it again."""
    return shown(await resume_tenant(request.database, request.path["id"], actor=request.actor))


async def erase(request: AdminRequest[Query, Confirmation]) -> ErasedShown:
    """Erase one."""
    return await erase_tenant_of(request, request.path["id"])


async def export(request: AdminRequest[Query, None]) -> Response:
    """Stream all that one has."""
    return await export_tenant_of(request, request.path["id"])


async def change_tenant_of(request: AdminRequest[Any, Any], tenant: str) -> TenantShown:
    """Change what the body names."""
    row = await change_tenant(
        request.database, tenant, settings_of(request.body), actor=request.actor, expected=request.expected
    )
    return shown(row)


async def erase_tenant_of(request: AdminRequest[Query, Confirmation], tenant: str) -> ErasedShown:
    """Erase a tenant that the body names once more."""
    if request.body.confirm != tenant:
        raise InvalidRequest(
            "To erase a tenant for good, give its id as `confirm`.", param="confirm", code="not_confirmed"
        )
    done = await erase_tenant(
        request.database, tenant, operator_tenant=_operator(request), actor=request.actor
    )
    return ErasedShown(calls=done.calls, users=done.users)


async def export_tenant_of(request: AdminRequest[Any, Any], tenant: str) -> Response:
    """Stream all that a tenant has."""
    lines = export_tenant(request.database, tenant)
    first = await anext(lines)  # raises for an unknown tenant, while there is still a status to say so

    async def whole() -> AsyncGenerator[bytes]:
        yield first
        async for line in lines:
            yield line

    named = {"content-disposition": 'attachment; filename="tenant.jsonl"'}
    return StreamingResponse(whole(), media_type=MEDIA, headers=named)


def _operator(request: AdminRequest[Any, Any]) -> str:
    return request.services.config.settings.identity.operator_tenant


_ANY = "gateway.tenants"

ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/tenants",
        permission=_ANY,
        handler=list_,
        summary="List all tenants, the oldest first",
        query=PageQuery,
        answer=Page[TenantShown],
    ),
    Endpoint(
        method="POST",
        path="/tenants",
        permission=_ANY,
        handler=create,
        summary="Create a tenant",
        body=NewTenant,
        answer=TenantShown,
    ),
    Endpoint(
        method="GET",
        path="/tenants/{id}",
        permission=_ANY,
        handler=show,
        summary="Show any tenant",
        answer=TenantShown,
    ),
    Endpoint(
        method="PATCH",
        path="/tenants/{id}",
        permission=_ANY,
        handler=change,
        summary="Change any tenant, and what it may use",
        body=TenantChange,
        answer=TenantShown,
    ),
    Endpoint(
        method="POST",
        path="/tenants/{id}/suspend",
        permission=_ANY,
        handler=suspend,
        summary="Refuse the calls of a tenant from now on",
        answer=TenantShown,
        status=200,
    ),
    Endpoint(
        method="POST",
        path="/tenants/{id}/resume",
        permission=_ANY,
        handler=resume,
        summary="Serve a suspended tenant again",
        answer=TenantShown,
        status=200,
    ),
    Endpoint(
        method="POST",
        path="/tenants/{id}/erase",
        permission=_ANY,
        handler=erase,
        summary="Erase any tenant for good; what calls cost stays",
        body=Confirmation,
        answer=ErasedShown,
        status=200,
    ),
    Endpoint(
        method="GET",
        path="/tenants/{id}/export",
        permission=_ANY,
        handler=export,
        summary="Export all that a tenant has, without secrets",
        media=MEDIA,
    ),
)
