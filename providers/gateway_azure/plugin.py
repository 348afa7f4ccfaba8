"""The plugin: from settings to a provider."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from gateway import Plugin, hookimpl
from gateway.errors import ConfigError
from gateway.plugin import Context
from gateway.protocols import Provider
from gateway.provider import Credential, Credentials, Failures, OwnPaths, Renewal, Scrubber
from gateway.upstream import Prepared
from gateway_azure.config import AzureConfig
from gateway_azure.entra import Tokens, application_request, identity_request
from gateway_azure.provider import AzureProvider, EntraCredential, Resource, use_token

_DIRECTORY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*(?:\.[A-Za-z0-9-]+)*")


class Azure(Plugin[AzureConfig]):
    """OpenAI's models in one Azure resource, by key or by Entra ID."""

    id = "provider.azure"
    Config = AzureConfig

    def __init__(self, name: str, config: AzureConfig, context: Context) -> None:
        super().__init__(name, config, context)
        failures = Failures(name, Scrubber(config.secrets()))
        self._provider = AzureProvider(
            name,
            client=context.client,
            credentials=Credentials(
                self._credentials(failures),
                makers=config.makers(
                    api_key=lambda fields: Credential(fields["api_key"]),
                    application=lambda fields: self._application(fields, failures),
                ),
            ),
            failures=failures,
            models=config.models,
            resource=Resource(
                endpoint=config.endpoint(),
                api_version=config.api_version,
                deployments=config.deployments,
                headers=config.request_headers({}),
            ),
        )

        base = f"{config.endpoint()}/openai" + ("" if config.api_version else "/v1")
        self._provider.paths = OwnPaths(base, config.passthrough)

    @hookimpl
    def register_providers(self) -> Sequence[Provider]:
        return [self._provider]

    async def check(self) -> None:
        """Ask for the models, with every credential. Raises `ProviderError` when one is refused."""
        await self._provider.check()

    def _credentials(self, failures: Failures) -> Sequence[Credential]:
        config, client = self.config, self.context.client
        found = [Credential(key) for key in config.keys()]  # noqa: SIM118 - no mapping
        application = config.application()
        if application is not None:
            request = application_request(client, config.authority, application, config.scope)
        elif config.managed_identity:
            request = identity_request(client, config.identity_url, config.client_id, config.scope)
        else:
            request = None
        if request is not None:
            found.append(self._with_tokens(request, failures))
        if not (found or config.vault):
            raise ConfigError(
                ["api_key: required, or managed_identity, or tenant_id with client_id and client_secret"]
            )
        return found

    def _application(self, fields: Mapping[str, str], failures: Failures) -> EntraCredential:
        if not _DIRECTORY.fullmatch(fields["tenant_id"]):
            raise ConfigError(["tenant_id: must be the id or a domain of an Entra tenant"])
        application = fields["tenant_id"], fields["client_id"], fields["client_secret"]
        config = self.config
        request = application_request(self.context.client, config.authority, application, config.scope)
        return self._with_tokens(request, failures)

    def _with_tokens(self, request: tuple[Prepared, bytes], failures: Failures) -> EntraCredential:
        tokens = Tokens(self.name, self.context.client, *request, failures)
        return EntraCredential(None, renew=Renewal(tokens.fetch, use_token).renew)
