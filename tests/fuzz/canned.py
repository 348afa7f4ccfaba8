"""A provider of any dialect that answers with the bytes it was given, in process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

from pydantic import Field

from gateway import Plugin, PluginConfig, hookimpl
from gateway.protocols import Provider
from gateway.types import Answer, Attempt, Capability, Dialect


class CannedConfig(PluginConfig):
    dialects: dict[Capability, str] = Field(description="What it speaks.")


class CannedProvider:
    """Answers with what is set, by dialect; that may be changed between requests."""

    catalogue = "canned"
    models: Sequence[str] = ("canned",)

    def __init__(self, name: str, dialects: dict[Capability, Any]) -> None:
        self.name = name
        self.dialects: dict[Capability, Dialect] = dialects
        self.whole: dict[str, bytes] = {}
        self.streams: dict[str, Sequence[bytes]] = {}

    async def send(self, attempt: Attempt) -> Answer:
        if not attempt.call.stream:
            kind = (b"content-type", b"application/json")
            return Answer(200, [kind], body=self.whole[attempt.target.dialect])

        async def chunks() -> AsyncIterator[bytes]:
            for chunk in self.streams[attempt.target.dialect]:
                yield chunk

        return Answer(200, [(b"content-type", b"text/event-stream")], stream=chunks())


class Canned(Plugin[CannedConfig]):
    id = "provider.canned"
    Config = CannedConfig

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.provider = CannedProvider(self.name, dict(self.config.dialects))

    @hookimpl
    def register_providers(self) -> Sequence[Provider]:
        return [cast("Provider", self.provider)]
