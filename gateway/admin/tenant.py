"""`/tenant`: the one in whose name is asked."""

from __future__ import annotations

from starlette.responses import Response

from gateway.admin.endpoint import Endpoint
from gateway.admin.request import AdminRequest
from gateway.admin.shapes import Query
from gateway.admin.tenant_shapes import Confirmation, ErasedShown, OwnTenantChange, TenantShown, shown
from gateway.admin.tenants import MEDIA, change_tenant_of, erase_tenant_of, export_tenant_of
from gateway.store.tenants import get_tenant


async def show_own(request: AdminRequest[Query, None]) -> TenantShown:
    """Show the caller's tenant."""
    return shown(await get_tenant(request.database, request.tenant))


async def change_own(request: AdminRequest[Query, OwnTenantChange]) -> TenantShown:
    """Change the caller's tenant."""
    return await change_tenant_of(request, request.tenant)


async def export_own(request: AdminRequest[Query, None]) -> Response:
    """Stream all that the tenant has."""
    return await export_tenant_of(request, request.tenant)


async def erase_own(request: AdminRequest[Query, Confirmation]) -> ErasedShown:
    """Erase the caller's tenant."""
    return await erase_tenant_of(request, request.tenant)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/tenant",
        permission="tenant.read",
        handler=show_own,
        summary="Show the tenant",
        answer=TenantShown,
    ),
    Endpoint(
        method="PATCH",
        path="/tenant",
        permission="tenant.update",
        handler=change_own,
        summary="Change the tenant's name and retention",
        body=OwnTenantChange,
        answer=TenantShown,
    ),
    Endpoint(
        method="GET",
        path="/tenant/export",
        permission="tenant.erase",
        handler=export_own,
        summary="Export all that the tenant has, without secrets",
        media=MEDIA,
    ),
    Endpoint(
        method="POST",
        path="/tenant/erase",
        permission="tenant.erase",
        handler=erase_own,
        summary="Erase the tenant for good; what calls cost stays",
        body=Confirmation,
        answer=ErasedShown,
        status=200,
    ),
)
