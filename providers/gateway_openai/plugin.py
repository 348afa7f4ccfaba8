"""The plugin: from settings to a provider."""

from __future__ import annotations

from collections.abc import Sequence

from gateway import Plugin, __version__, hookimpl
from gateway.plugin import Context
from gateway.protocols import Provider
from gateway.types import RawHeaders
from gateway_openai.config import OpenAIConfig, resolve
from gateway_openai.credentials import Credential, Credentials
from gateway_openai.failures import Failures
from gateway_openai.provider import OpenAIProvider
from gateway_openai.refusals import Scrubber


class OpenAI(Plugin[OpenAIConfig]):
    """OpenAI, and every service that speaks its API."""

    id = "provider.openai"
    Config = OpenAIConfig

    def __init__(self, name: str, config: OpenAIConfig, context: Context) -> None:
        super().__init__(name, config, context)
        preset = resolve(name, config)
        secrets = [*config.keys(), *(value.reveal() for value in config.headers.values())]
        self._provider = OpenAIProvider(
            name,
            preset,
            client=context.client,
            credentials=Credentials(
                [self._credential(key, preset.base_url) for key in config.keys() or (None,)]
            ),
            failures=Failures(name, Scrubber(secrets)),
            models=config.models,
        )

    @hookimpl
    def register_providers(self) -> Sequence[Provider]:
        return [self._provider]

    async def check(self) -> None:
        """Ask the service for its models, with every credential. Raises `ProviderError` when it refuses one."""
        await self._provider.check()

    def _credential(self, key: str | None, base_url: str) -> Credential:
        prepare, headers = self.context.client.prepare, self._headers(key)
        return Credential(
            chat=prepare("POST", f"{base_url}/chat/completions", headers),
            embeddings=prepare("POST", f"{base_url}/embeddings", headers),
            models=prepare("GET", f"{base_url}/models", headers),
        )

    def _headers(self, key: str | None) -> RawHeaders:
        config = self.config
        given = {
            "content-type": "application/json",
            "user-agent": f"asgi-gateway/{__version__}",
            "authorization": f"Bearer {key}" if key else None,
            "openai-organization": config.organization,
            "openai-project": config.project,
            **{name.lower(): value.reveal() for name, value in config.headers.items()},
        }
        return [(name.encode(), value.encode()) for name, value in given.items() if value is not None]
