"""The plugin: from settings to a provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gateway import Plugin, hookimpl
from gateway.plugin import Context
from gateway.protocols import Provider
from gateway.provider import Credential, Credentials, Failures, OwnPaths, Scrubber
from gateway.types import RawHeaders
from gateway_gemini.account import TokenCredential, with_account
from gateway_gemini.config import GeminiConfig, address, beside, check
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
        self._provider.headers_of = self._headers
        self._provider.paths = OwnPaths(address(config), config.passthrough, beside=beside(config))

    @hookimpl
    def register_providers(self) -> Sequence[Provider]:
        return [self._provider]

    async def check(self) -> None:
        """Try every credential. Raises `ProviderError` when one is refused."""
        await self._provider.check()

    def _credentials(self, failures: Failures) -> Credentials:
        config = self.config
        makes: dict[str, Callable[[Mapping[str, str]], Credential]] = {
            "api_key": lambda fields: Credential(fields["api_key"])
        }
        if config.project is not None:
            client = self.context.public_client
            makes["service_account"] = lambda fields: with_account(
                fields["service_account"], client, failures
            )
            makes["access_token"] = lambda fields: TokenCredential(fields["access_token"])
        found: list[Credential] = []
        if config.service_account is not None:
            found = [with_account(config.service_account.reveal(), self.context.client, failures)]
        elif config.access_token is not None:
            found = [TokenCredential(config.access_token.reveal())]
        elif config.keys():
            found = [Credential(key) for key in config.keys()]  # noqa: SIM118 - no mapping
        elif not config.vault:
            found = [Credential(None)]
        return Credentials(found, makers=config.makers(**makes))

    def _headers(self, credential: Credential) -> RawHeaders:
        secret, is_token = credential.secret, isinstance(credential, TokenCredential)
        account = {
            "content-type": "application/json",
            "x-goog-api-key": None if is_token else secret,
            "authorization": f"Bearer {secret}" if is_token else None,
        }
        return self.config.request_headers(account)
