"""The plugin: from settings to a provider."""

from __future__ import annotations

from collections.abc import Sequence

from gateway import Plugin, hookimpl
from gateway.plugin import Context
from gateway.protocols import Provider
from gateway.provider import Credential, Failures, OwnPaths, Scrubber
from gateway.types import RawHeaders
from gateway_ollama.config import ADDRESS, OllamaConfig
from gateway_ollama.provider import PATHS, OllamaProvider


class Ollama(Plugin[OllamaConfig]):
    """Ollama: models on machines of one's own."""

    id = "provider.ollama"
    Config = OllamaConfig

    def __init__(self, name: str, config: OllamaConfig, context: Context) -> None:
        super().__init__(name, config, context)
        self._provider = OllamaProvider(
            name,
            catalogue="local",
            client=context.client,
            credentials=config.credentials(self._credential),
            failures=Failures(name, Scrubber(config.secrets())),
            models=config.models,
        )

        self._provider.headers = self._headers
        self._provider.paths = OwnPaths(config.base_url or ADDRESS, config.passthrough)

    @hookimpl
    def register_providers(self) -> Sequence[Provider]:
        return [self._provider]

    async def check(self) -> None:
        """Ask the server for its models. Raises `ProviderError` when it cannot be reached or lacks one of `models`."""
        await self._provider.check()

    def _credential(self, key: str | None) -> Credential:
        prepare, headers = self.context.client.prepare, self._headers(key)
        base_url = self.config.base_url or ADDRESS
        credential = Credential(key)
        for dialect, path in PATHS.items():
            credential.prepared[dialect] = prepare("POST", base_url + path, headers)
        credential.prepared["models"] = prepare("GET", f"{base_url}/api/tags", headers)
        return credential

    def _headers(self, key: str | None) -> RawHeaders:
        account = {
            "content-type": "application/json",
            "authorization": f"Bearer {key}" if key else None,
        }
        return self.config.request_headers(account)
