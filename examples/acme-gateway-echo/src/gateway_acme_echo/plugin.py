"""The plugin: its id, its settings, and the hook it implements."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from gateway import Plugin, PluginConfig, hookimpl
from gateway.protocols import Provider
from gateway_acme_echo.provider import EchoProvider


class AcmeEchoConfig(PluginConfig):
    """The keys of `[provider.acme-echo]`."""

    shout: bool = Field(default=False, description="Answer in upper case.")
    refuse: str = Field(
        default="", description="Answer 429 to messages that contain this text; empty refuses none."
    )


class AcmeEcho(Plugin[AcmeEchoConfig]):
    """Serves `acme-echo/parrot`, which says back what it was told."""

    id = "provider.acme-echo"
    Config = AcmeEchoConfig

    @hookimpl
    def register_providers(self) -> Sequence[Provider]:
        return (EchoProvider(self.name, shout=self.config.shout, refuse=self.config.refuse),)
