"""`/credentials`: the tenant's own credentials of providers; `/gateway/credentials`: the operator's, which all others use.

A secret goes in and never comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final, TypeAlias

from msgspec.structs import replace as changed
from pydantic import Field

from gateway.admin.endpoint import Endpoint
from gateway.admin.paging import after, page
from gateway.admin.request import AdminRequest
from gateway.admin.shapes import Body, Page, PageQuery, Query, Several, Shown, moment
from gateway.errors import InvalidRequest, PermissionDenied
from gateway.protocols import UsesVault
from gateway.store.credentials import (
    OPERATOR,
    State,
    StoredCredential,
    change_credential,
    get_credential,
    page_of_credentials,
    remove_credential,
)
from gateway.vault import credentials as vault
from gateway.vault.given import API_KEY, LONGEST_FIELD, Given, read_given
from gateway.vault.providers import provider_of
from gateway.vault.throttle import throttle

_CHECK: Final = "Make a real call with it first, and refuse what the provider refuses."
_KEY: Final = "An API key. For credentials of several parts give `fields` instead."
_FIELDS: Final = (
    "The parts of a credential by their names, which `/providers` tells; JSON, as the key of a service account, "
    "as an object or a text."
)

Fields: TypeAlias = dict[str, str | dict[str, Any]]


class CredentialFilters(PageQuery):
    """Which credentials are meant."""

    provider: str | None = Field(default=None, max_length=100, description="By its name in the config.")
    kind: str | None = Field(default=None, max_length=40, description="`api_key`, or as `/providers` tells.")
    state: Several[State] = Field(default=(), description="Any of these.")


class NewCredential(Body):
    """A credential to be sealed."""

    provider: str = Field(max_length=100, description="By its name in the config; see `/providers`.")
    name: str = Field(default="default", max_length=vault.LONGEST_NAME)
    secret: str | None = Field(
        default=None,
        min_length=1,
        max_length=LONGEST_FIELD,
        description=_KEY,
        json_schema_extra={"writeOnly": True},
    )
    fields: Fields | None = Field(
        default=None, description=_FIELDS, max_length=20, json_schema_extra={"writeOnly": True}
    )
    weight: int = Field(default=1, ge=1, le=vault.MOST_WEIGHT, description="Its share of the calls.")
    check: bool = Field(default=True, description=_CHECK)


class CredentialChange(Body):
    """What is to be different."""

    name: str | None = Field(default=None, max_length=vault.LONGEST_NAME)
    secret: str | None = Field(
        default=None,
        min_length=1,
        max_length=LONGEST_FIELD,
        description="An API key that takes the place of the credential before.",
        json_schema_extra={"writeOnly": True},
    )
    fields: Fields | None = Field(
        default=None,
        description="The same for one of several parts: all of them.",
        max_length=20,
        json_schema_extra={"writeOnly": True},
    )
    weight: int | None = Field(default=None, ge=1, le=vault.MOST_WEIGHT)
    enabled: bool | None = None
    check: bool = Field(default=True, description=_CHECK)


class CredentialShown(Shown):
    """A credential, without its secret."""

    id: str
    provider: str
    kind: str = Field(description="`api_key`, or as `/providers` tells.")
    name: str
    hint: str = Field(
        description="The first and last characters of the secret, or of the part by which it is known."
    )
    weight: int
    enabled: bool
    state: str = Field(description="untried, working, failing (the provider refused it last) or disabled.")
    last_error: str | None = Field(description="What the provider said when it last refused it.")
    last_error_at: datetime | None
    checked_at: datetime | None = Field(description="When a call with it last succeeded.")
    created_at: datetime
    updated_at: datetime
    revision: int


class CheckShown(Shown):
    """What came of a call with a credential."""

    ok: bool
    said: str = Field(description="What the provider said.")
    at: datetime | None = Field(description="Null when the service has nothing to ask.")


def credentials_at(path: str, read: str, manage: str, tenant_of: Callable[[Any], str]) -> Iterator[Endpoint]:
    """Declare the endpoints below a path, for the credentials of whom `tenant_of` names."""

    async def list_(request: AdminRequest[CredentialFilters, None]) -> Page[CredentialShown]:
        query = request.query
        rows = await page_of_credentials(
            request.database,
            tenant=tenant_of(request),
            provider=query.provider,
            kind=query.kind,
            states=query.state,
            after=after(query.cursor, tuple[float, str]),
            limit=query.limit + 1,
        )
        shown, cursor = page(rows, query.limit, lambda row: (row.created_at, row.id))
        return Page[CredentialShown](data=[_shown(row) for row in shown], next_cursor=cursor)

    async def show(request: AdminRequest[Query, None]) -> CredentialShown:
        return _shown(await _found(request))

    async def create(request: AdminRequest[Query, NewCredential]) -> CredentialShown:
        body, services = request.body, request.services
        provider = provider_of(services.providers, body.provider)
        given = _given(provider, body.secret, body.fields)
        services.vault.current()  # without a key nothing is tried
        new = vault.NewCredential(
            tenant=tenant_of(request),
            provider=body.provider,
            name=body.name,
            given=given,
            weight=body.weight,
        )
        tried = await _tried(request, provider, given) if body.check else None
        row = await vault.add(request.database, services.vault, new, actor=request.actor, tried=tried)
        return _shown(row)

    async def change(request: AdminRequest[Query, CredentialChange]) -> CredentialShown:
        body = request.body
        named = body.model_fields_set & {"name", "weight", "enabled"}
        values = {name: value for name in named if (value := getattr(body, name)) is not None}
        row = await _found(request)
        if body.secret is None and body.fields is None:
            row = await change_credential(
                request.database,
                row.id,
                tenant=row.tenant,
                actor=request.actor,
                expected=request.expected,
                **values,
            )
            return _shown(row)
        provider = provider_of(request.services.providers, row.provider)
        given = _given(provider, body.secret, body.fields)
        row = await vault.replace(
            request.database,
            request.services.vault,
            changed(row, **values),
            given,
            actor=request.actor,
            expected=request.expected,
            tried=await _tried(request, provider, given) if body.check else None,
        )
        return _shown(row)

    async def remove(request: AdminRequest[Query, None]) -> None:
        await remove_credential(
            request.database,
            request.path["id"],
            tenant=tenant_of(request),
            actor=request.actor,
            expected=request.expected,
        )

    async def check(request: AdminRequest[Query, None]) -> CheckShown:
        row = await _found(request)
        provider = provider_of(request.services.providers, row.provider)
        await throttle(request.database, row.tenant)
        tried = await vault.check(request.database, request.services.vault, row, provider)
        return CheckShown(ok=tried.ok, said=tried.said, at=moment(tried.at))

    async def _found(request: AdminRequest[Any, Any]) -> StoredCredential:
        return await get_credential(request.database, request.path["id"], tenant=tenant_of(request))

    async def _tried(request: AdminRequest[Any, Any], provider: UsesVault, given: Given) -> vault.Tried:
        await throttle(request.database, tenant_of(request))
        return await vault.require(provider, given)

    one = path + "/{id}"
    whose = "the tenant's own" if path == "/credentials" else "the operator's"
    yield Endpoint(
        method="GET",
        path=path,
        permission=read,
        handler=list_,
        summary=f"List {whose} credentials of providers, the oldest first",
        query=CredentialFilters,
        answer=Page[CredentialShown],
    )
    yield Endpoint(
        method="POST",
        path=path,
        permission=manage,
        handler=create,
        summary=f"Add one to {whose} credentials of providers",
        body=NewCredential,
        answer=CredentialShown,
    )
    yield Endpoint(
        method="GET",
        path=one,
        permission=read,
        handler=show,
        summary=f"Show one of {whose} credentials",
        answer=CredentialShown,
    )
    yield Endpoint(
        method="PATCH",
        path=one,
        permission=manage,
        handler=change,
        summary=f"Change one of {whose} credentials, or replace its secret",
        body=CredentialChange,
        answer=CredentialShown,
    )
    yield Endpoint(
        method="DELETE",
        path=one,
        permission=manage,
        handler=remove,
        summary=f"Remove one of {whose} credentials",
    )
    yield Endpoint(
        method="POST",
        path=one + "/check",
        permission=manage,
        handler=check,
        summary=f"Make a real call with one of {whose} credentials",
        answer=CheckShown,
        status=200,
    )


def _given(provider: UsesVault, secret: str | None, fields: Fields | None) -> Given:
    if (secret is None) == (fields is None):
        raise InvalidRequest(
            "Give the credential either as `secret` or as `fields`.", status=422, param="secret"
        )
    return read_given(provider, {API_KEY: secret} if fields is None else fields)


def _shown(row: StoredCredential) -> CredentialShown:
    return CredentialShown(
        id=row.id,
        provider=row.provider,
        kind=row.kind,
        name=row.name,
        hint=row.hint,
        weight=row.weight,
        enabled=row.enabled,
        state=row.state,
        last_error=row.last_error,
        last_error_at=moment(row.last_error_at),
        checked_at=moment(row.checked_at),
        created_at=moment(row.created_at),
        updated_at=moment(row.updated_at),
        revision=row.revision,
    )


def _own(request: AdminRequest[Any, Any]) -> str:
    if request.tenant == OPERATOR:
        raise PermissionDenied("Only a tenant has credentials of its own.")
    return request.tenant


def _operators(_request: AdminRequest[Any, Any]) -> str:
    return OPERATOR


ENDPOINTS = (
    *credentials_at("/credentials", "credentials.read", "credentials.manage", _own),
    *credentials_at("/gateway/credentials", "gateway.credentials", "gateway.credentials", _operators),
)
