"""`/components`: services that sign their calls."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from gateway.admin.endpoint import Endpoint
from gateway.admin.paging import after, page
from gateway.admin.request import AdminRequest
from gateway.admin.shapes import Body, Page, PageQuery, Query, Shown, ShownOnce, moment
from gateway.identity.components import TICKET_SECONDS, check_scopes, invite, register
from gateway.store.components import (
    Component,
    NewComponent,
    change_component,
    delete_component,
    get_component,
    list_components,
)
from gateway.types import MAKE_CALLS

Names = Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=200)]


class TicketBody(Body):
    """What is decided about a component before its key is known."""

    name: str = Field(min_length=1, max_length=200)
    scopes: Names = Field(default=[MAKE_CALLS], description="Permissions; none that you do not have.")
    models: Names | None = Field(default=None, description="Names or `prefix*` patterns; null for all.")


class ComponentBody(TicketBody):
    """A component with its key."""

    public_key: str = Field(
        min_length=1, max_length=200, description="Ed25519: a did:key, 64 hexadecimal digits, or base64."
    )
    scheme: Literal["rfc9421", "aigne-app", "aigne-remote"] = Field(
        default="rfc9421", description="How it signs; those of AIGNE need `aigne_compat`."
    )


class ComponentChange(Body):
    """What is to be different."""

    name: str | None = Field(default=None, min_length=1, max_length=200)
    scopes: Names | None = None
    models: Names | None = None
    disabled: bool | None = None


class ComponentShown(Shown):
    """A component."""

    id: str
    name: str
    scheme: str
    key_id: str = Field(description="As signatures name it.")
    scopes: list[str]
    models: list[str] | None
    created_at: datetime
    updated_at: datetime
    disabled_at: datetime | None
    revision: int


class TicketShown(Shown):
    """A ticket with which a component registers its own key, once."""

    ticket: Annotated[str | None, ShownOnce()] = None
    expires_in: int = Field(description="Seconds.")


async def list_(request: AdminRequest[PageQuery, None]) -> Page[ComponentShown]:
    """List the tenant's components."""
    query = request.query
    last = after(query.cursor, tuple[str])
    rows = await list_components(
        request.database, request.tenant, after=last[0] if last else None, limit=query.limit + 1
    )
    shown, cursor = page(rows, query.limit, lambda row: (row.id,))
    return Page[ComponentShown](data=[_shown(row) for row in shown], next_cursor=cursor)


async def show(request: AdminRequest[Query, None]) -> ComponentShown:
    """Show one."""
    return _shown(await get_component(request.database, request.tenant, request.path["id"]))


async def create(request: AdminRequest[Query, ComponentBody]) -> ComponentShown:
    """Register one with its key."""
    body = request.body
    row = await register(
        request.database,
        _new(request, body),
        body.public_key,
        scheme=body.scheme,
        held=request.principal.scopes,
        actor=request.actor,
    )
    return _shown(row)


async def make_ticket(request: AdminRequest[Query, TicketBody]) -> TicketShown:
    """Make a ticket for one that brings its key itself."""
    new = _new(request, request.body)
    ticket = await invite(request.database, new, held=request.principal.scopes)
    return TicketShown(ticket=ticket, expires_in=int(TICKET_SECONDS))


async def change(request: AdminRequest[Query, ComponentChange]) -> ComponentShown:
    """Change one: as far as the body names something; null is a value for `models` alone."""
    body = request.body
    changes = {
        name: value
        for name in body.model_fields_set
        if (value := getattr(body, name)) is not None or name == "models"
    }
    check_scopes(changes.get("scopes", ()), request.principal.scopes)
    row = await change_component(
        request.database,
        request.tenant,
        request.path["id"],
        changes,
        actor=request.actor,
        expected=request.expected,
    )
    return _shown(row)


async def remove(request: AdminRequest[Query, None]) -> None:
    """Remove one."""
    await delete_component(
        request.database, request.tenant, request.path["id"], actor=request.actor, expected=request.expected
    )


def _new(request: AdminRequest[Any, Any], body: TicketBody) -> NewComponent:
    return NewComponent(
        tenant=request.tenant,
        name=body.name,
        scopes=tuple(body.scopes),
        models=None if body.models is None else tuple(body.models),
    )


def _shown(row: Component) -> ComponentShown:
    return ComponentShown(
        id=row.id,
        name=row.name,
        scheme=row.scheme,
        key_id=row.key_id,
        scopes=[*row.scopes],
        models=None if row.models is None else [*row.models],
        created_at=moment(row.created_at),
        updated_at=moment(row.updated_at),
        disabled_at=moment(row.disabled_at),
        revision=row.revision,
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/components",
        permission="components.read",
        handler=list_,
        summary="List the services that sign their calls",
        query=PageQuery,
        answer=Page[ComponentShown],
    ),
    Endpoint(
        method="POST",
        path="/components",
        permission="components.manage",
        handler=create,
        summary="Register a service with its key",
        body=ComponentBody,
        answer=ComponentShown,
    ),
    Endpoint(
        method="POST",
        path="/components/tickets",
        permission="components.manage",
        handler=make_ticket,
        summary="Make a ticket with which a service registers its own key",
        body=TicketBody,
        answer=TicketShown,
    ),
    Endpoint(
        method="GET",
        path="/components/{id}",
        permission="components.read",
        handler=show,
        summary="Show a service that signs its calls",
        answer=ComponentShown,
    ),
    Endpoint(
        method="PATCH",
        path="/components/{id}",
        permission="components.manage",
        handler=change,
        summary="Change, disable or enable a service that signs its calls",
        body=ComponentChange,
        answer=ComponentShown,
    ),
    Endpoint(
        method="DELETE",
        path="/components/{id}",
        permission="components.manage",
        handler=remove,
        summary="Remove a service that signs its calls",
    ),
)
