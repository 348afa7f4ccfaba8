"""What can be set for Cohere."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from gateway.errors import ConfigError
from gateway.provider import ServiceConfig

ADDRESS: Final = "https://api.cohere.com"


class CohereConfig(ServiceConfig):
    """Settings of one account, or of a deployment of one's own."""

    base_url: str | None = Field(
        default=None, description=f"Where the API is, without `/v2`. Default: `{ADDRESS}`."
    )
    client_name: str | None = Field(
        default=None, description="Sent as `x-client-name`: how the project is called in Cohere's logs."
    )


def address(config: CohereConfig) -> str:
    """Return where the API is. Raises `ConfigError` when it is Cohere's own and no API key is given."""
    if config.base_url is None and not (config.keys() or config.vault):
        raise ConfigError(["api_key: required, unless base_url names a deployment of your own"])
    return config.base_url or ADDRESS
