"""What can be set for Anthropic."""

from __future__ import annotations

from pydantic import Field, field_validator

from gateway.provider import ServiceConfig

BASE_URL = "https://api.anthropic.com"


class AnthropicConfig(ServiceConfig):
    """Settings of one service."""

    base_url: str | None = Field(
        default=None,
        description="Where the API is, up to what comes before `/v1/messages`. Default: `https://api.anthropic.com`.",
    )
    version: str = Field(
        default="2023-06-01",
        description="Sent as `anthropic-version`, unless the client speaks Anthropic's dialect and says which. The default is the one that takes `temperature`, `top_p` and `top_k`.",
        pattern=r"^\d{4}-\d{2}-\d{2}$",
    )
    betas: tuple[str, ...] = Field(
        default=(),
        description="Sent as `anthropic-beta`, together with what a client of Anthropic's dialect asks for there.",
    )
    catalogue: str = Field(
        default="anthropic",
        description="Under which provider name the price book lists the models; another one for a service that only speaks Anthropic's API.",
    )

    @field_validator("base_url")
    @classmethod
    def _without_version(cls, base_url: str | None) -> str | None:
        return base_url.removesuffix("/v1") if base_url else base_url

    @field_validator("betas")
    @classmethod
    def _words(cls, betas: tuple[str, ...]) -> tuple[str, ...]:
        for beta in betas:
            if not (beta.isascii() and beta.isprintable()) or {",", " "} & set(beta) or not beta:
                raise ValueError(f"'{beta}' is no name of a beta, such as 'context-management-2025-06-27'")
        return betas
