"""`/service-accounts`: callers that are no people; their API keys name them as owner."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from gateway.admin.endpoint import Endpoint
from gateway.admin.of_tenant import grants_of, page_of
from gateway.admin.request import AdminRequest
from gateway.admin.shapes import Body, Page, PageQuery, Query, Shown, moment
from gateway.store.service_accounts import ServiceAccount, get_service_account, list_service_accounts

_ROLE = "One of `/roles`; no more than one's own."


class NewServiceAccount(Body):
    """A service account to be."""

    name: str = Field(max_length=200)
    role: str = Field(default="member", max_length=64, description=_ROLE)


class ServiceAccountChange(Body):
    """What is to be different."""

    name: str | None = Field(default=None, max_length=200)
    role: str | None = Field(default=None, max_length=64, description=_ROLE)
    disabled: bool | None = Field(default=None, description="Whether its keys are refused.")


class ServiceAccountShown(Shown):
    """A service account."""

    id: str
    name: str
    role: str
    created_at: datetime
    updated_at: datetime
    disabled_at: datetime | None
    revision: int


async def list_(request: AdminRequest[PageQuery, None]) -> Page[ServiceAccountShown]:
    """List the service accounts."""
    rows, cursor = await page_of(request, list_service_accounts, lambda row: row.id)
    return Page[ServiceAccountShown](data=[_shown(row) for row in rows], next_cursor=cursor)


async def create(request: AdminRequest[Query, NewServiceAccount]) -> ServiceAccountShown:
    """Create one."""
    body = request.body
    return _shown(await grants_of(request).create_service_account(body.name, body.role))


async def show(request: AdminRequest[Query, None]) -> ServiceAccountShown:
    """Show one."""
    return _shown(await get_service_account(request.database, request.tenant, request.path["id"]))


async def change(request: AdminRequest[Query, ServiceAccountChange]) -> ServiceAccountShown:
    """Change one."""
    body = request.body
    row = await grants_of(request).change_service_account(
        request.path["id"],
        name=body.name,
        role=body.role,
        disabled=body.disabled,
        expected=request.expected,
    )
    return _shown(row)


async def delete(request: AdminRequest[Query, None]) -> None:
    """Delete one."""
    await grants_of(request).delete_service_account(request.path["id"], expected=request.expected)


def _shown(row: ServiceAccount) -> ServiceAccountShown:
    return ServiceAccountShown(
        id=row.id,
        name=row.name,
        role=row.role,
        created_at=moment(row.created_at),
        updated_at=moment(row.updated_at),
        disabled_at=moment(row.disabled_at),
        revision=row.revision,
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/service-accounts",
        permission="service_accounts.read",
        handler=list_,
        summary="List the service accounts",
        query=PageQuery,
        answer=Page[ServiceAccountShown],
    ),
    Endpoint(
        method="POST",
        path="/service-accounts",
        permission="service_accounts.manage",
        handler=create,
        summary="Create a service account",
        body=NewServiceAccount,
        answer=ServiceAccountShown,
    ),
    Endpoint(
        method="GET",
        path="/service-accounts/{id}",
        permission="service_accounts.read",
        handler=show,
        summary="Show a service account",
        answer=ServiceAccountShown,
    ),
    Endpoint(
        method="PATCH",
        path="/service-accounts/{id}",
        permission="service_accounts.manage",
        handler=change,
        summary="Change a service account",
        body=ServiceAccountChange,
        answer=ServiceAccountShown,
    ),
    Endpoint(
        method="DELETE",
        path="/service-accounts/{id}",
        permission="service_accounts.manage",
        handler=delete,
        summary="Delete a service account and revoke its keys",
    ),
)
