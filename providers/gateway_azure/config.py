"""What can be set for OpenAI on Azure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field, field_validator

from gateway.errors import ConfigError
from gateway.provider import ServiceConfig, Together
from gateway.secrets import Secret

_TAILS = ("/openai/v1", "/openai")


class AzureConfig(ServiceConfig):
    """Settings of one Azure OpenAI or Foundry resource."""

    together: ClassVar[Mapping[str, Together]] = {
        **ServiceConfig.together,
        "application": Together(
            ("client_id", "tenant_id", "client_secret"), shown=("client_id", "tenant_id")
        ),
    }

    resource: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{1,62}$",
        description="Name of the resource: the `NAME` in `https://NAME.openai.azure.com`.",
    )
    base_url: str | None = Field(
        default=None,
        description="The resource's endpoint, instead of its name: for other clouds and domains of one's own.",
    )
    api_version: str | None = Field(
        default=None,
        pattern=r"^\d{4}-\d{2}-\d{2}(-preview)?$",
        description="Use the dated API of this version, with the deployment in the path. Default: the v1 API.",
    )
    deployments: dict[str, str] = Field(
        default_factory=dict[str, str],
        description="Deployments by the name of the model, where the two differ.",
    )
    api_key: Secret | None = Field(default=None, description="A key of the resource, sent as `api-key`.")
    tenant_id: str | None = Field(default=None, description="Entra tenant of the application that calls.")
    client_id: str | None = Field(
        default=None,
        description="Id of the Entra application that calls, or of a user-assigned managed identity.",
    )
    client_secret: Secret | None = Field(default=None, description="A client secret of that application.")
    managed_identity: bool = Field(
        default=False, description="Get tokens from the virtual machine that the gateway runs on."
    )
    scope: str = Field(
        default="https://cognitiveservices.azure.com/.default",
        description="What tokens are asked for. Other clouds have other scopes.",
    )
    authority: str = Field(
        default="https://login.microsoftonline.com",
        pattern=r"^https?://[^/?#]+$",
        description="Where the application's tokens come from. Other clouds have other addresses.",
    )
    identity_url: str = Field(
        default="http://169.254.169.254",
        pattern=r"^https?://[^/?#]+$",
        description="Where a managed identity's tokens come from.",
    )

    @field_validator("base_url")
    @classmethod
    def _bare(cls, base_url: str | None) -> str | None:
        for tail in _TAILS:
            if base_url is not None and base_url.endswith(tail):
                return base_url.removesuffix(tail)
        return base_url

    def secrets(self) -> tuple[str, ...]:
        """Return what must never be shown."""
        return (*super().secrets(), *([self.client_secret.reveal()] if self.client_secret else []))

    def endpoint(self) -> str:
        """Return the address below which everything is. Raises `ConfigError` unless exactly one is given."""
        if self.base_url is not None and self.resource is not None:
            raise ConfigError(
                ["resource: base_url says already where the resource is; leave one of them out"]
            )
        if self.base_url is not None:
            return self.base_url
        if self.resource is None:
            raise ConfigError(["resource: required, or base_url"])
        return f"https://{self.resource}.openai.azure.com"

    def application(self) -> tuple[str, str, str] | None:
        """Return tenant, id and secret of an application. Raises `ConfigError` when only a part of them is given."""
        if self.managed_identity and (self.tenant_id or self.client_secret):
            raise ConfigError(
                ["managed_identity: needs no tenant_id and no client_secret; leave them out, or this"]
            )
        if self.managed_identity or not (self.tenant_id or self.client_id or self.client_secret):
            return None
        given = {
            "tenant_id": self.tenant_id,
            "client_id": self.client_id,
            "client_secret": self.client_secret.reveal() if self.client_secret else None,
        }
        missing = [
            f"{name}: required with the other parts of an application"
            for name, one in given.items()
            if not one
        ]
        if missing:
            raise ConfigError(missing)
        tenant, client, secret = (str(one) for one in given.values())
        return tenant, client, secret
