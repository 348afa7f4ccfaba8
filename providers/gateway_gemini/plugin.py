"""The plugin: from settings to a provider."""

from __future__ import annotations

from collections.abc import Sequence

from gateway import Plugin, __version__, hookimpl
from gateway.plugin import Context
from gateway.protocols import Provider
from gateway.provider import Credential, Credentials, Failures, OwnPaths, Scrubber
from gateway.types import RawHeaders
from gateway_gemini.account import Tokens, read_account
from gateway_gemini.config import GeminiConfig, address, check
from gateway_gemini.provider import AI_STUDIO, CLAUDE, VERTEX, GeminiProvider


class Gemini(Plugin[GeminiConfig]):
    """Gemini, from AI Studio or Vertex AI."""

    id = "provider.gemini"
    Config = GeminiConfig

    def __init__(self, name: str, config: GeminiConfig, context: Context) -> None:
        super().__init__(name, config, context)
        check(config)
        failures = Failures(name, Scrubber(config.secrets()))
        self._provider = GeminiProvider(
            name,
            catalogue="anthropic" if config.publisher == "anthropic" else "gemini",
            client=context.client,
            credentials=self._credentials(failures),
            failures=failures,
            models=config.models,
        )
        self._provider.dialects = VERTEX if config.on_vertex else AI_STUDIO
        if config.publisher == "anthropic":
            self._provider.dialects = CLAUDE
        self._provider.address = address(config)
        self._provider.on_vertex = config.on_vertex
        self._provider.headers = self._headers
        self._provider.paths = OwnPaths(address(config), config.passthrough)

    @hookimpl
    def register_providers(self) -> Sequence[Provider]:
        return [self._provider]

    async def check(self) -> None:
        """Try every credential. Raises `ProviderError` when one is refused."""
        await self._provider.check()

    def _credentials(self, failures: Failures) -> Credentials:
        config = self.config
        if config.service_account is not None:
            account = read_account(config.service_account.reveal())
            tokens = Tokens(account, self.context.client, failures)
            return Credentials([Credential(None, renew=tokens.renew)])
        if config.access_token is not None:
            return Credentials([Credential(config.access_token.reveal())])
        return config.credentials(Credential)

    def _headers(self, secret: str | None) -> RawHeaders:
        config = self.config
        is_token = config.service_account is not None or config.access_token is not None
        given = {
            "content-type": "application/json",
            "user-agent": f"asgi-gateway/{__version__}",
            "x-goog-api-key": None if is_token else secret,
            "authorization": f"Bearer {secret}" if is_token else None,
            **{name.lower(): value.reveal() for name, value in config.headers.items()},
        }
        return [(name.encode(), value.encode()) for name, value in given.items() if value is not None]
