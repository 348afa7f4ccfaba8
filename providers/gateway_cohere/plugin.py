"""The plugin: from settings to a provider."""

from __future__ import annotations

from collections.abc import Sequence

from gateway import Plugin, hookimpl
from gateway.plugin import Context
from gateway.protocols import Provider
from gateway.provider import Credential, Failures, OwnPaths, Scrubber
from gateway.types import RawHeaders
from gateway_cohere.config import CohereConfig, address
from gateway_cohere.provider import PATHS, CohereProvider


class Cohere(Plugin[CohereConfig]):
    """Cohere: chat, embeddings and rerank."""

    id = "provider.cohere"
    Config = CohereConfig

    def __init__(self, name: str, config: CohereConfig, context: Context) -> None:
        super().__init__(name, config, context)
        base_url = address(config)
        self._provider = CohereProvider(
            name,
            catalogue="cohere",
            client=context.client,
            credentials=config.credentials(self._credential),
            failures=Failures(name, Scrubber(config.secrets())),
            models=config.models,
        )

        self._provider.headers = self._headers
        self._provider.paths = OwnPaths(base_url, config.passthrough)

    @hookimpl
    def register_providers(self) -> Sequence[Provider]:
        return [self._provider]

    async def check(self) -> None:
        """Ask Cohere for its models, with every credential. Raises `ProviderError` when it refuses one."""
        await self._provider.check()

    def _credential(self, key: str | None) -> Credential:
        base_url = address(self.config)
        prepare, headers = self.context.client.prepare, self._headers(key)
        credential = Credential(key)
        for dialect, path in PATHS.items():
            credential.prepared[dialect] = prepare("POST", base_url + path, headers)
        credential.prepared["models"] = prepare("GET", f"{base_url}/v1/models?page_size=1", headers)
        credential.prepared["list"] = prepare("GET", f"{base_url}/v1/models?page_size=1000", headers)
        return credential

    def _headers(self, key: str | None) -> RawHeaders:
        account = {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "authorization": f"Bearer {key}" if key else None,
            "x-client-name": self.config.client_name,
        }
        return self.config.request_headers(account)
