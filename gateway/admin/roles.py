"""`/roles`: those that every tenant has, and the tenant's own."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from gateway.admin.endpoint import Endpoint
from gateway.admin.of_tenant import grants_of
from gateway.admin.request import AdminRequest
from gateway.admin.shapes import Body, Page, Query, Shown
from gateway.errors import InvalidRequest
from gateway.identity.permissions import PERMISSIONS, ROLES, permissions_of
from gateway.store.roles import Role, custom_roles

_PERMISSIONS = "See `/permissions`; no more than one's own."


class RoleChange(Body):
    """What is to be different."""

    description: str | None = Field(default=None, max_length=500)
    permissions: list[str] | None = Field(default=None, description=_PERMISSIONS)


class NewRole(Body):
    """A role of the tenant's own."""

    name: str = Field(max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$")
    description: str = Field(default="", max_length=500)
    permissions: list[str] = Field(description=_PERMISSIONS)


class RoleShown(Shown):
    """A role."""

    name: str
    description: str
    permissions: list[str]
    custom: bool = Field(description="Whether it is the tenant's own, and may be changed.")
    revision: int


class PermissionShown(Shown):
    """A permission."""

    name: str
    description: str


async def list_(request: AdminRequest[Query, None]) -> Page[RoleShown]:
    """List all roles."""
    own = await custom_roles(request.database, request.tenant)
    built_in = [_built_in(request, name) for name in ROLES]
    return Page[RoleShown](data=[*built_in, *map(_shown, own)], next_cursor=None)


async def permissions(_request: AdminRequest[Query, None]) -> Page[PermissionShown]:
    """List all permissions."""
    rows = [PermissionShown(name=name, description=text) for name, text in PERMISSIONS.items()]
    return Page[PermissionShown](data=rows, next_cursor=None)


async def show(request: AdminRequest[Query, None]) -> RoleShown:
    """Show a role."""
    name = request.path["name"]
    if name in ROLES:
        return _built_in(request, name)
    own = await custom_roles(request.database, request.tenant)
    found = next((role for role in own if role.name == name), None)
    if found is None:
        raise InvalidRequest(f"There is no role {name!r}.", status=404, code="not_found")
    return _shown(found)


async def create(request: AdminRequest[Query, NewRole]) -> RoleShown:
    """Create a role."""
    body = request.body
    role = await grants_of(request).create_role(
        body.name, description=body.description, permissions=body.permissions
    )
    return _shown(role)


async def change(request: AdminRequest[Query, RoleChange]) -> RoleShown:
    """Change a role."""
    role = await grants_of(request).change_role(
        request.path["name"],
        description=request.body.description,
        permissions=request.body.permissions,
        expected=request.expected,
    )
    return _shown(role)


async def delete(request: AdminRequest[Query, None]) -> None:
    """Delete a role."""
    await grants_of(request).delete_role(request.path["name"], expected=request.expected)


def _built_in(request: AdminRequest[Any, Any], name: str) -> RoleShown:
    operator = request.tenant == request.services.config.settings.identity.operator_tenant
    held = sorted(permissions_of(name, operator=operator))
    return RoleShown(name=name, description="", permissions=held, custom=False, revision=0)


def _shown(row: Role) -> RoleShown:
    return RoleShown(
        name=row.name,
        description=row.description,
        permissions=sorted(row.permissions),
        custom=True,
        revision=row.revision,
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/permissions",
        permission="roles.read",
        handler=permissions,
        summary="List all permissions",
        answer=Page[PermissionShown],
    ),
    Endpoint(
        method="GET",
        path="/roles",
        permission="roles.read",
        handler=list_,
        summary="List the roles that every tenant has, then the tenant's own",
        answer=Page[RoleShown],
    ),
    Endpoint(
        method="POST",
        path="/roles",
        permission="roles.manage",
        handler=create,
        summary="Create a role of the tenant's own",
        body=NewRole,
        answer=RoleShown,
    ),
    Endpoint(
        method="GET",
        path="/roles/{name}",
        permission="roles.read",
        handler=show,
        summary="Show a role",
        answer=RoleShown,
    ),
    Endpoint(
        method="PATCH",
        path="/roles/{name}",
        permission="roles.manage",
        handler=change,
        summary="Change a role of the tenant's own",
        body=RoleChange,
        answer=RoleShown,
    ),
    Endpoint(
        method="DELETE",
        path="/roles/{name}",
        permission="roles.manage",
        handler=delete,
        summary="Delete a role that nobody has",
    ),
)
