"""`/keys`: API keys. Whoever has `keys.own` and no more sees and changes those of their own."""

from __future__ import annotations

from typing import Any

from gateway.admin.endpoint import Endpoint
from gateway.admin.key_shapes import (
    KeyChange,
    KeyMade,
    KeyQuery,
    KeyShown,
    NewKey,
    Rotation,
    key_made,
    key_shown,
    settings_from,
)
from gateway.admin.paging import after, page
from gateway.admin.request import AdminRequest
from gateway.admin.shapes import Page, Query
from gateway.errors import InvalidRequest, PermissionDenied
from gateway.identity.keys import check_scopes
from gateway.store.key_rows import ApiKey
from gateway.store.keys import change_key, create_key, get_key, revoke_key, rotate_key, tenant_keys

_READ = ("keys.read", "keys.manage", "keys.own")
_CHANGE = ("keys.manage", "keys.own")


async def list_(request: AdminRequest[KeyQuery, None]) -> Page[KeyShown]:
    """List keys."""
    query, own = request.query, _own(request, "keys.read", "keys.manage")
    if own is not None and query.owner not in {None, own}:
        return Page[KeyShown](data=[], next_cursor=None)
    rows = await tenant_keys(
        request.database,
        request.tenant,
        owner=own or query.owner,
        with_inactive=query.inactive,
        search=query.search,
        after=after(query.cursor, tuple[float, str]),
        limit=query.limit + 1,
    )
    found, cursor = page(rows, query.limit, lambda row: (row.created_at, row.id))
    return Page[KeyShown](data=[key_shown(row) for row in found], next_cursor=cursor)


async def create(request: AdminRequest[Query, NewKey]) -> KeyMade:
    """Create one."""
    body, own = request.body, _own(request, "keys.manage")
    if own is not None and body.owner not in {None, own}:
        raise PermissionDenied("You may only have keys of your own: leave `owner` out.", param="owner")
    settings = settings_from(body)
    _check_scopes(request, tuple(body.scopes) if body.scopes else None)
    row, key = await create_key(
        request.database,
        body.name,
        tenant=request.tenant,
        settings=settings,
        owner=own or body.owner,
        actor=request.actor,
    )
    return key_made(row, key)


async def show(request: AdminRequest[Query, None]) -> KeyShown:
    """Show one."""
    return key_shown(await _key(request, _own(request, "keys.read", "keys.manage")))


async def change(request: AdminRequest[Query, KeyChange]) -> KeyShown:
    """Change one."""
    own, settings = _own(request, "keys.manage"), settings_from(request.body)
    if isinstance(settings.scopes, tuple):
        _check_scopes(request, settings.scopes)
    row = await change_key(
        request.database,
        request.tenant,
        request.path["id"],
        settings,
        owner=own,
        actor=request.actor,
        expected=request.expected,
    )
    return key_shown(row)


async def revoke(request: AdminRequest[Query, None]) -> None:
    """Revoke one."""
    await revoke_key(
        request.database,
        request.tenant,
        request.path["id"],
        owner=_own(request, "keys.manage"),
        actor=request.actor,
        expected=request.expected,
    )


async def rotate(request: AdminRequest[Query, Rotation]) -> KeyMade:
    """Replace one: whoever does gets to know the key, so it must not be able to do more than they can."""
    own = _own(request, "keys.manage")
    _check_scopes(request, (await _key(request, own)).scopes)
    row, key = await rotate_key(
        request.database,
        request.tenant,
        request.path["id"],
        overlap_seconds=request.body.overlap_seconds,
        owner=own,
        actor=request.actor,
    )
    return key_made(row, key)


def _own(request: AdminRequest[Any, Any], *wider: str) -> str | None:
    """Whose keys are meant: only those of the caller, unless they have one of the wider permissions."""
    principal = request.principal
    if any(principal.may(permission) for permission in wider):
        return None
    if principal.user is None:
        raise PermissionDenied("This API key belongs to nobody, so there are no keys of its own.")
    return principal.user


def _check_scopes(request: AdminRequest[Any, Any], scopes: tuple[str, ...] | None) -> None:
    operator = request.services.config.settings.identity.operator_tenant
    held = request.principal.scopes
    if request.tenant != operator:
        held = frozenset(scope for scope in held if not scope.startswith("gateway."))
    check_scopes(scopes, held=held)


async def _key(request: AdminRequest[Any, Any], owner: str | None) -> ApiKey:
    found = await get_key(request.database, request.tenant, request.path["id"], owner=owner)
    if found is None:
        raise InvalidRequest(f"There is no API key {request.path['id']!r}.", status=404, code="not_found")
    return found


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/keys",
        permission=_READ,
        handler=list_,
        summary="List API keys, oldest first",
        query=KeyQuery,
        answer=Page[KeyShown],
    ),
    Endpoint(
        method="POST",
        path="/keys",
        permission=_CHANGE,
        handler=create,
        summary="Create an API key, and show it once",
        body=NewKey,
        answer=KeyMade,
    ),
    Endpoint(
        method="GET",
        path="/keys/{id}",
        permission=_READ,
        handler=show,
        summary="Show an API key, but for the key itself",
        answer=KeyShown,
    ),
    Endpoint(
        method="PATCH",
        path="/keys/{id}",
        permission=_CHANGE,
        handler=change,
        summary="Change an API key",
        body=KeyChange,
        answer=KeyShown,
    ),
    Endpoint(
        method="DELETE",
        path="/keys/{id}",
        permission=_CHANGE,
        handler=revoke,
        summary="Revoke an API key",
    ),
    Endpoint(
        method="POST",
        path="/keys/{id}/rotate",
        permission=_CHANGE,
        handler=rotate,
        summary="Replace an API key, and show the new one once",
        body=Rotation,
        answer=KeyMade,
    ),
)
