"""`/providers`: those that the tenant may use; `/gateway/providers`: all, with how they stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from gateway.admin.endpoint import Endpoint
from gateway.admin.request import AdminRequest
from gateway.admin.shapes import Query, Shown
from gateway.protocols import Provider, UsesVault
from gateway.store.credentials import (
    OPERATOR,
    StoredCredential,
    all_credentials,
    list_credentials,
)


class FieldShown(Shown):
    """A part of a credential."""

    name: str
    description: str
    required: bool
    secret: bool


class KindShown(Shown):
    """A kind of credential that a provider takes."""

    name: str
    fields: list[FieldShown]


class ProviderShown(Shown):
    """A provider that the tenant may use."""

    name: str = Field(description="As models name it: `NAME/model`.")
    models: int = Field(description="How many are listed.")
    takes_credentials: bool = Field(description="Whether the tenant may bring credentials of its own.")
    credential_kinds: list[KindShown] = Field(description="What it takes as a credential.")
    credentials: dict[str, int] = Field(description="How many of its own are in each state.")


class ProvidersShown(Shown):
    """All of them, by name."""

    data: list[ProviderShown]


class GatewayProviderShown(Shown):
    """A provider of the config."""

    name: str
    plugin: str
    distribution: str = Field(description="Name and version of the package that it is from.")
    state: Literal["enabled", "waiting", "skipped"] = Field(
        description="`waiting` for a credential; `skipped` when a secret of the config is missing."
    )
    reason: str = Field(description="Why it waits or is skipped; else empty.")
    models: int = Field(description="How many are listed.")
    takes_credentials: bool = Field(description="Whether it takes credentials from the vault.")
    credential_kinds: list[KindShown] = Field(description="What it takes as a credential.")
    credentials: dict[str, int] = Field(description="How many of the operator's are in each state.")
    tenants: int = Field(description="How many tenants have credentials of their own.")


class GatewayProvidersShown(Shown):
    """All of them, in the order of the config."""

    data: list[GatewayProviderShown]


async def list_own(request: AdminRequest[Query, None]) -> ProvidersShown:
    """List the providers that the tenant may use."""
    rows = await list_credentials(request.database, tenant=request.tenant)
    policy = request.context.tenants.policies.get(request.tenant)
    allowed = None if policy is None else policy.providers
    shown = [
        ProviderShown(
            name=name,
            models=_models(request, provider),
            takes_credentials=_takes(provider),
            credential_kinds=_kinds(provider),
            credentials=_states(row for row in rows if row.provider == name),
        )
        for name, provider in sorted(request.services.providers.items())
        if allowed is None or name in allowed
    ]
    return ProvidersShown(data=shown)


async def list_all(request: AdminRequest[Query, None]) -> GatewayProvidersShown:
    """List the providers of the config."""
    rows = await all_credentials(request.database)
    shown: list[GatewayProviderShown] = []
    for info in request.services.registry.describe():
        if info.kind != "provider":
            continue
        name = info.instance.partition(".")[2]
        provider = request.services.providers.get(name)
        of_it = [row for row in rows if row.provider == name]
        waits = isinstance(provider, UsesVault) and not provider.has_credentials
        shown.append(
            GatewayProviderShown(
                name=name,
                plugin=info.id,
                distribution=info.distribution,
                state="waiting" if waits else "skipped" if provider is None else "enabled",
                reason="It has no credential that all may use." if waits else info.reason,
                models=0 if provider is None else _models(request, provider),
                takes_credentials=provider is not None and _takes(provider),
                credential_kinds=[] if provider is None else _kinds(provider),
                credentials=_states(row for row in of_it if row.tenant == OPERATOR),
                tenants=len({row.tenant for row in of_it} - {OPERATOR}),
            )
        )
    return GatewayProvidersShown(data=shown)


def _models(request: AdminRequest[Query, None], provider: Provider) -> int:
    return len(provider.models or request.services.prices.catalogue.models(provider.catalogue))


def _takes(provider: Provider) -> bool:
    return isinstance(provider, UsesVault) and provider.takes_vault


def _kinds(provider: Provider) -> list[KindShown]:
    kinds = provider.credential_kinds if isinstance(provider, UsesVault) else ()
    return [
        KindShown(
            name=kind.name,
            fields=[
                FieldShown(
                    name=field.name,
                    description=field.description,
                    required=field.required,
                    secret=field.secret,
                )
                for field in kind.fields
            ],
        )
        for kind in kinds
    ]


def _states(rows: Iterable[StoredCredential]) -> dict[str, int]:
    return dict(Counter(row.state for row in rows))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/providers",
        permission=("models.read", "credentials.read"),
        handler=list_own,
        summary="List the providers that the tenant may use",
        answer=ProvidersShown,
    ),
    Endpoint(
        method="GET",
        path="/gateway/providers",
        permission="gateway.credentials",
        handler=list_all,
        summary="List the providers of the config, with how they stand",
        answer=GatewayProvidersShown,
    ),
)
