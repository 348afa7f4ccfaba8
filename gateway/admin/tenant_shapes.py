"""Tenants as the admin API shows them, and what may be changed of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from msgspec.structs import asdict, replace
from pydantic import BaseModel, ConfigDict, Field

from gateway.admin.shapes import Body, Shown, moment
from gateway.store.tenants import MAX_ID, MAX_NAME, UNCHANGED, Tenant, TenantSettings
from gateway.types import CallLimits

_DAYS = "After so many days calls lose what is personal, and what was stored goes; null: never."


class Limits(BaseModel):
    """Limits over all callers of a tenant; null is without limit. `middleware.ratelimit` holds them."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    requests_per_minute: int | None = Field(default=None, ge=1)
    tokens_per_minute: int | None = Field(default=None, ge=1)
    concurrent: int | None = Field(default=None, ge=1, description="Calls at the same time.")


class OwnTenantChange(Body):
    """What the tenant's own people may change."""

    name: str | None = Field(default=None, max_length=MAX_NAME)
    retention_days: int | None = Field(default=None, ge=1, description=_DAYS)


class TenantChange(OwnTenantChange):
    """What is to be different; null takes an allow-list or the limits away."""

    models: list[str] | None = Field(default=None, description="Names, or `prefix*` patterns.")
    providers: list[str] | None = Field(default=None, description="By their names in the config.")
    limits: Limits | None = None


class NewTenant(TenantChange):
    """A tenant to be created."""

    id: str = Field(max_length=MAX_ID, description="What keys, calls and reports name it by.")


class Confirmation(Body):
    """Said on purpose."""

    confirm: str = Field(description="The id of the tenant, once more: nothing brings it back.")


class TenantShown(Shown):
    """A tenant."""

    id: str
    name: str
    state: str = Field(description="active, suspended or erased.")
    models: list[str] | None = Field(description="The only ones that it may call; null for all.")
    providers: list[str] | None = Field(description="The only ones that may serve it; null for all.")
    limits: Limits | None
    retention_days: int | None = Field(description=_DAYS)
    created_at: datetime
    suspended_at: datetime | None
    erased_at: datetime | None
    revision: int


class ErasedShown(Shown):
    """What an erasure did."""

    calls: int = Field(description="Calls that lost what was personal in them.")
    users: int = Field(description="Users who were erased, for they were in no other tenant.")


def settings_of(body: OwnTenantChange) -> TenantSettings:
    values: dict[str, Any] = {}
    for name in body.model_fields_set - {"id"}:
        value = getattr(body, name)
        if isinstance(value, Limits):
            value = CallLimits(**value.model_dump())
        elif isinstance(value, list):
            value = tuple(cast("list[str]", value))
        if name != "name" or value is not None:
            values[name] = value
    return replace(UNCHANGED, **values)


def shown(row: Tenant) -> TenantShown:
    return TenantShown(
        id=row.id,
        name=row.name,
        state=row.state,
        models=None if row.models is None else [*row.models],
        providers=None if row.providers is None else [*row.providers],
        limits=None if row.limits is None else Limits(**asdict(row.limits)),
        retention_days=row.retention_days,
        created_at=moment(row.created_at),
        suspended_at=moment(row.suspended_at),
        erased_at=moment(row.erased_at),
        revision=row.revision,
    )
