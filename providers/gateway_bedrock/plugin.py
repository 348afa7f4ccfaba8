"""The plugin: from settings to a provider."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gateway import Plugin, hookimpl
from gateway.plugin import Context
from gateway.protocols import Provider
from gateway.provider import Credentials, Failures, OwnPaths, Renewal, Scrubber
from gateway.types import RawHeaders
from gateway_bedrock.config import BedrockConfig
from gateway_bedrock.provider import BedrockCredential, BedrockProvider, use_signer
from gateway_bedrock.role import InstanceRole
from gateway_bedrock.sigv4 import Signer


class Bedrock(Plugin[BedrockConfig]):
    """Amazon Bedrock in one region, by API key or with requests signed by an access key."""

    id = "provider.bedrock"
    Config = BedrockConfig

    def __init__(self, name: str, config: BedrockConfig, context: Context) -> None:
        super().__init__(name, config, context)
        config.require_credentials()
        failures = Failures(name, Scrubber(config.secrets()))
        self._provider = BedrockProvider(
            name,
            catalogue="bedrock",
            client=context.client,
            credentials=Credentials(
                [*self._credentials(failures)],
                makers=config.makers(
                    api_key=lambda fields: self._with_key(fields["api_key"]), access_key=self._with_access_key
                ),
            ),
            failures=failures,
            models=config.models,
            endpoint=config.endpoint(),
        )

        self._provider.paths = OwnPaths(config.endpoint(), config.passthrough)

    @hookimpl
    def register_providers(self) -> Sequence[Provider]:
        return [self._provider]

    async def check(self) -> None:
        """Show Bedrock every credential. Raises `ProviderError` when it refuses one."""
        await self._provider.check()

    def _credentials(self, failures: Failures) -> Iterator[BedrockCredential]:
        keys = self.config.keys()
        yield from map(self._with_key, keys)
        access = self.config.access_key()
        if access is not None:
            yield self._signing(*access)
        if self.config.instance_role:
            url, region = self.config.metadata_url, self.config.region
            role = InstanceRole(self.name, self.context.client, url, region, failures)
            renew = Renewal(role.fetch, use_signer).renew
            yield BedrockCredential(None, self._headers(None), None, renew=renew)

    def _with_key(self, key: str) -> BedrockCredential:
        return BedrockCredential(key, self._headers(key), None)

    def _with_access_key(self, fields: Mapping[str, str]) -> BedrockCredential:
        return self._signing(
            fields["access_key_id"], fields["secret_access_key"], fields.get("session_token")
        )

    def _signing(self, identity: str, secret: str, token: str | None) -> BedrockCredential:
        signer = Signer(identity, secret, token, region=self.config.region, service="bedrock")
        return BedrockCredential(secret, self._headers(None), signer)

    def _headers(self, key: str | None) -> RawHeaders:
        account = {
            "content-type": "application/json",
            "authorization": f"Bearer {key}" if key else None,
        }
        return self.config.request_headers(account)
