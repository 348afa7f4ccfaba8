"""The settings of `auth.jwt`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, field_validator, model_validator

from gateway import PluginConfig, Secret
from gateway.identity.permissions import PERMISSIONS
from gateway.types import MAKE_CALLS

Algorithm: TypeAlias = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"
]
"""Asymmetric ones only (RFC 7518 §3.1, RFC 8037, RFC 9864): with them nobody can sign who can only verify."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,29}")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Names: TypeAlias = Annotated[
    tuple[str, ...], BeforeValidator(_listed, json_schema_input_type=str | tuple[str, ...])
]


class Claims(PluginConfig):
    """In which claims of an access token the issuer says what. Dots lead into objects: `realm_access.roles`."""

    audience: str = Field(
        default="aud", description="For whom the token is. Amazon Cognito says so in `client_id`."
    )
    tenant: str | None = Field(
        default=None, description="For which tenant its bearer acts. Default: always the issuer's `tenant`."
    )
    user: str = Field(
        default="sub",
        description="Who its bearer is. The ledger shows it as `ISSUER:USER`, or as the user that `sub` belongs to.",
    )
    roles: str = Field(
        default="roles",
        description="Roles: a list, or one text with spaces in between. Unknown ones are ignored.",
    )
    scopes: str = Field(
        default="scope",
        description="Permissions such as `keys.read`, in the same way. Unknown ones are ignored.",
    )


class IssuerConfig(PluginConfig):
    """One issuer of tokens."""

    issuer: str = Field(
        description="Its URL, exactly as its tokens name it in `iss`; https, or http on a loopback address. "
        "`/.well-known/openid-configuration` below it says the rest."
    )
    audience: Names = Field(
        default=(),
        description="What access tokens for this gateway name as their audience. Without one, none are accepted, and the "
        "issuer serves for browser sign-in alone.",
    )
    algorithms: tuple[Algorithm, ...] = Field(
        default=("RS256", "ES256", "EdDSA"), min_length=1, description="The signatures it may use."
    )
    token_type: Literal["any", "at+jwt"] = Field(
        default="any",
        description="`at+jwt` accepts only access tokens that say so in their header (RFC 9068); set it when the issuer does.",
    )
    leeway_seconds: float = Field(
        default=30, ge=0, le=300, description="How far its clock and this one's may be apart."
    )
    refresh_seconds: float = Field(
        default=900,
        gt=0,
        description="How often its keys are fetched: one that it withdraws ends within this time.",
    )
    refetch_seconds: float = Field(
        default=10,
        gt=0,
        description="At most so often they are fetched besides, because a token names one that is not known yet.",
    )
    claims: Claims = Field(default_factory=Claims, description="In which claims it says what.")
    required: dict[str, str | int | bool] = Field(
        default_factory=dict[str, str | int | bool],
        description="Claims that an access token must have, with this value or a list that holds it.",
    )
    tenant: str = Field(
        default="default",
        description="The tenant of tokens that name none, and of all without `claims.tenant`.",
    )
    tenants: tuple[str, ...] | None = Field(
        default=None, description="Tenants that its tokens may name. Default: every tenant there is."
    )
    roles: dict[str, str] = Field(
        default_factory=dict[str, str],
        description='Its names for roles and ours: { "ai-admins" = "admin" }. Others count when a role is called the same.',
    )
    permissions: tuple[str, ...] = Field(
        default=(MAKE_CALLS,),
        description="What every bearer of its tokens may do, without any role or scope.",
    )
    client_id: str | None = Field(
        default=None,
        description="The gateway's client id at the issuer; with it, people can sign in through it.",
    )
    client_secret: Secret | None = Field(
        default=None, description="The secret that belongs to it. A public client has none."
    )
    title: str | None = Field(
        default=None,
        description="What the button on the sign-in page calls it. Default: its name, with a capital.",
    )
    sign_in_scopes: tuple[str, ...] = Field(
        default=("openid", "profile", "email"),
        description="What sign-in asks of it; `openid` is always asked.",
    )

    @field_validator("issuer")
    @classmethod
    def _address(cls, issuer: str) -> str:
        if not is_safe(issuer):
            raise ValueError(f"must be https, or http on a loopback address, not '{issuer}'")
        url = urlsplit(issuer)
        if url.query or url.fragment or url.username is not None:
            raise ValueError("must hold no user, query or fragment")
        return issuer

    @field_validator("permissions")
    @classmethod
    def _known(cls, permissions: tuple[str, ...]) -> tuple[str, ...]:
        for name in permissions:
            if name not in PERMISSIONS or name.startswith("gateway."):
                raise ValueError(
                    f"'{name}' is no permission in a tenant; some are {MAKE_CALLS}, keys.own, usage.read"
                )
        return permissions

    @model_validator(mode="after")
    def _of_use(self) -> IssuerConfig:
        if not self.audience and self.client_id is None:
            raise ValueError("needs an audience, to accept access tokens, or a client_id, to sign people in")
        if self.client_id in self.audience:
            raise ValueError(
                "audience and client_id must differ: what names the client as its audience is an ID token. "
                "Register the gateway's API at the issuer under a name of its own."
            )
        return self


class JwtConfig(PluginConfig):
    """Settings of `auth.jwt`."""

    issuers: dict[str, IssuerConfig] = Field(
        min_length=1, description="The issuers, by names of your own: small letters, digits and hyphens."
    )

    @field_validator("issuers")
    @classmethod
    def _told_apart(cls, issuers: dict[str, IssuerConfig]) -> dict[str, IssuerConfig]:
        seen: dict[str, str] = {}
        for name, issuer in issuers.items():
            if not _NAME.fullmatch(name):
                raise ValueError(f"'{name}' must be at most 30 small letters, digits and hyphens")
            if issuer.issuer in seen:
                raise ValueError(f"'{name}' and '{seen[issuer.issuer]}' are the same issuer")
            seen[issuer.issuer] = name
        return issuers


def is_safe(url: str) -> bool:
    """Whether what is fetched from a URL can be trusted to come from its host: https, or http that stays on this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK))
