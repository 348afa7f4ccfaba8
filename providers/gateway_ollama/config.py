"""What can be set for Ollama."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from gateway.provider import ServiceConfig

ADDRESS: Final = "http://127.0.0.1:11434"


class OllamaConfig(ServiceConfig):
    """Settings of one server."""

    base_url: str | None = Field(
        default=None, description=f"Where the server is, without `/api`. Default: `{ADDRESS}`."
    )
    models: tuple[str, ...] = Field(
        default=(),
        description="Models to list; `gateway check` makes sure that the server has them. Others can be called all the same.",
    )
