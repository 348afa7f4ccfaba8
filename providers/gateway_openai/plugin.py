"""The plugin: from settings to a provider."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from gateway import Plugin, hookimpl
from gateway.plugin import Context
from gateway.protocols import Provider
from gateway.provider import Credential, Failures, OwnPaths, Scrubber
from gateway.provider.openai_api import FORMS, PATHS
from gateway.types import RawHeaders
from gateway_openai.config import OpenAIConfig, resolve
from gateway_openai.presets import BESIDES
from gateway_openai.provider import OpenAIProvider


class OpenAI(Plugin[OpenAIConfig]):
    """OpenAI, and every service that speaks its API."""

    id = "provider.openai"
    Config = OpenAIConfig

    def __init__(self, name: str, config: OpenAIConfig, context: Context) -> None:
        super().__init__(name, config, context)
        preset = resolve(name, config)
        self._provider = OpenAIProvider(
            name,
            catalogue=preset.catalogue,
            client=context.client,
            credentials=config.credentials(functools.partial(self._credential, preset.base_url)),
            failures=Failures(name, Scrubber(config.secrets())),
            models=config.models,
        )
        self._provider.preset = preset
        self._provider.dialects = preset.dialects()
        self._provider.headers = self._headers
        self._provider.paths = OwnPaths(preset.base_url, config.passthrough)

    @hookimpl
    def register_providers(self) -> Sequence[Provider]:
        return [self._provider]

    async def check(self) -> None:
        """Ask the service for its models, with every credential. Raises `ProviderError` when it refuses one."""
        await self._provider.check()

    def _credential(self, base_url: str, key: str | None) -> Credential:
        prepare, headers = self.context.client.prepare, self._headers(key)
        credential = Credential(key)
        untyped = [header for header in headers if header[0] != b"content-type"]
        for dialect, path in {**PATHS, **BESIDES}.items():
            own = untyped if dialect in FORMS else headers
            credential.prepared[dialect] = prepare("POST", base_url + path, own)
        credential.prepared["models"] = prepare("GET", f"{base_url}/models", headers)
        return credential

    def _headers(self, key: str | None) -> RawHeaders:
        config = self.config
        account = {
            "content-type": "application/json",
            "authorization": f"Bearer {key}" if key else None,
            "openai-organization": config.organization,
            "openai-project": config.project,
        }
        return self.config.request_headers(account)
