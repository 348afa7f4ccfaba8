"""What can be set for Bedrock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from gateway.errors import ConfigError
from gateway.provider import ServiceConfig, Together
from gateway.secrets import Secret


class BedrockConfig(ServiceConfig):
    """Settings of Bedrock in one region."""

    together: ClassVar[Mapping[str, Together]] = {
        **ServiceConfig.together,
        "access_key": Together(
            ("access_key_id", "secret_access_key"), ("session_token",), shown=("access_key_id",)
        ),
    }

    region: str = Field(
        pattern=r"^[a-z]{2,4}(-[a-z]+)+-\d+$", description="The AWS region, as `eu-central-1`."
    )
    base_url: str | None = Field(
        default=None,
        description="Where the runtime API is, for VPC and FIPS endpoints. Default: the region's public endpoint.",
    )
    access_key_id: Secret | None = Field(
        default=None, description="Id of an AWS access key; requests are then signed."
    )
    secret_access_key: Secret | None = Field(default=None, description="The secret that belongs to it.")
    session_token: Secret | None = Field(
        default=None,
        description="The session token that belongs to it, where the access key is a temporary one.",
    )
    api_key: Secret | None = Field(
        default=None,
        description="A Bedrock API key (the `AWS_BEARER_TOKEN_BEDROCK` of AWS's SDKs), instead of an access key.",
    )

    instance_role: bool = Field(
        default=False, description="Use the role of the EC2 instance that the gateway runs on."
    )
    metadata_url: str = Field(
        default="http://169.254.169.254",
        pattern=r"^https?://[^/?#]+$",
        description="Where that instance's metadata service is.",
    )

    def secrets(self) -> tuple[str, ...]:
        """Return what must never be shown."""
        ours = (self.access_key_id, self.secret_access_key, self.session_token)
        return (*super().secrets(), *(secret.reveal() for secret in ours if secret is not None))

    def access_key(self) -> tuple[str, str, str | None] | None:
        """Return id, secret and session token of the access key, where there is one."""
        if self.access_key_id is None or self.secret_access_key is None:
            return None
        token = self.session_token.reveal() if self.session_token is not None else None
        return self.access_key_id.reveal(), self.secret_access_key.reveal(), token

    def endpoint(self) -> str:
        """Return where the runtime API is."""
        domain = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        return self.base_url or f"https://bedrock-runtime.{self.region}.{domain}"

    def require_credentials(self) -> None:
        """Raise `ConfigError` unless there is a credential, and a whole one."""
        half = (self.access_key_id is None) != (self.secret_access_key is None)
        if half:
            missing = "access_key_id" if self.access_key_id is None else "secret_access_key"
            raise ConfigError([f"{missing}: an access key has two halves, and only the other one is set"])
        if self.session_token is not None and self.access_key_id is None:
            raise ConfigError(["session_token: goes with an access_key_id and a secret_access_key"])
        if not (self.keys() or self.access_key_id or self.instance_role or self.vault):
            raise ConfigError(
                ["api_key: required, or access_key_id with secret_access_key, or instance_role"]
            )
