"""The plugin: from settings to a provider."""

from __future__ import annotations

from collections.abc import Sequence

from gateway import Plugin, hookimpl
from gateway.errors import ConfigError
from gateway.plugin import Context
from gateway.protocols import Provider
from gateway.provider import Credential, Failures, OwnPaths, Scrubber
from gateway.types import RawHeaders
from gateway_anthropic.config import BASE_URL, AnthropicConfig
from gateway_anthropic.provider import PATHS, AnthropicProvider


class Anthropic(Plugin[AnthropicConfig]):
    """Anthropic, and every service that speaks its Messages API."""

    id = "provider.anthropic"
    Config = AnthropicConfig

    def __init__(self, name: str, config: AnthropicConfig, context: Context) -> None:
        super().__init__(name, config, context)
        if config.base_url is None and not (config.keys() or config.vault):
            raise ConfigError(["api_key: required"])  # a service at an address of one's own may need none
        self._provider = AnthropicProvider(
            name,
            catalogue=config.catalogue,
            client=context.client,
            credentials=config.credentials(self._credential),
            failures=Failures(name, Scrubber(config.secrets())),
            models=config.models,
        )
        self._provider.headers = self._headers
        self._provider.paths = OwnPaths(config.base_url or BASE_URL, config.passthrough)
        self._provider.version = config.version.encode()
        self._provider.betas = tuple(beta.encode() for beta in config.betas)

    @hookimpl
    def register_providers(self) -> Sequence[Provider]:
        return [self._provider]

    async def check(self) -> None:
        """Ask the service for its models, with every credential. Raises `ProviderError` when it refuses one."""
        await self._provider.check()

    def _credential(self, key: str | None) -> Credential:
        prepare, headers = self.context.client.prepare, self._headers(key)
        base_url = self.config.base_url or BASE_URL
        credential = Credential(key)
        for dialect, path in PATHS.items():
            credential.prepared[dialect] = prepare("POST", base_url + path, headers)
        version = (b"anthropic-version", self.config.version.encode())
        credential.prepared["models"] = prepare("GET", f"{base_url}/v1/models", [*headers, version])
        credential.prepared["list"] = prepare("GET", f"{base_url}/v1/models?limit=1000", [*headers, version])
        return credential

    def _headers(self, key: str | None) -> RawHeaders:
        account = {
            "content-type": "application/json",
            "x-api-key": key,
        }
        return self.config.request_headers(account)
