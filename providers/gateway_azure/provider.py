"""Sends calls to OpenAI's models on Azure.

https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from gateway.provider import Credential, Credentials, Failures, Service
from gateway.provider.openai_api import (
    ALIKE,
    COMPLETIONS,
    DIALECTS,
    IMAGES,
    PATHS,
    REALTIME,
    RESPONSES,
    SPEECH,
    TRANSCRIPTIONS,
    content_type_of,
    dialect_at,
    realtime_headers,
    realtime_url,
)
from gateway.types import Answer, Attempt, Capability, Dialect, RawHeaders
from gateway.upstream import Client, Prepared
from gateway.wire import Given, multipart

_HEADS: Final = 1024
_WITHOUT_DEPLOYMENT: Final = frozenset({"openai.responses"})
"""In the dated API these have the deployment in the body, not in the path."""
_OWN: Final = re.compile(r"(?:/openai)?(?:/v1)?(?:/deployments/([^/]+))?(/.+)")
"""Paths of calls: with or without what the base URL ends in, and perhaps with a deployment."""
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode


class Resource(Struct, frozen=True, kw_only=True):
    """Where the models are, and how they are asked."""

    endpoint: str
    api_version: str | None
    """Of the dated API; None for the v1 API."""
    deployments: Mapping[str, str]
    """By the names of models."""
    headers: RawHeaders


class AzureProvider(Service):
    """One resource, under the name of its table in plugins.toml."""

    dialects: Mapping[Capability, Dialect] = {
        **DIALECTS,
        **COMPLETIONS,
        **RESPONSES,
        **IMAGES,
        **SPEECH,
        **TRANSCRIPTIONS,
        **REALTIME,
    }
    query_credentials = frozenset({"api-key"})
    passed_on = frozenset({b"content-type", b"apim-request-id", b"x-ms-region"})

    def __init__(
        self,
        name: str,
        *,
        client: Client,
        credentials: Credentials,
        failures: Failures,
        models: Sequence[str],
        resource: Resource,
    ) -> None:
        super().__init__(
            name,
            catalogue="azure",
            client=client,
            credentials=credentials,
            failures=failures,
            models=models,
        )
        self._resource = resource

    def request(self, attempt: Attempt, credential: Credential) -> tuple[Prepared, bytes, RawHeaders]:
        """Name the deployment: in the path of the dated API, in the body of the v1 API."""
        dialect, model = attempt.target.dialect, attempt.target.model
        deployment = self._resource.deployments.get(model, model)
        body = attempt.body
        in_path = self._resource.api_version is not None and dialect not in _WITHOUT_DEPLOYMENT
        if deployment != model and not in_path:
            is_form = multipart.is_form(attempt.content_type)
            body = (_form_with_model if is_form else _with_model)(body, deployment)
        path = f"/deployments/{quote(deployment, safe='')}{PATHS[dialect]}" if in_path else PATHS[dialect]
        return (
            self._head("POST", path, credential),
            body,
            [(b"content-type", content_type_of(attempt))],
        )

    def speaks(self, dialect: Dialect, model: str) -> bool:
        """What has pictures or recordings takes every kind of request about them."""
        del model
        return dialect in ALIKE and ALIKE[dialect] in self.dialects.values()

    def dialect_of(self, method: str, path: str) -> tuple[Dialect, Given] | None:
        """Take the paths of both APIs: the one in use, and the one that the client was written for."""
        found = _OWN.fullmatch(path)
        dialect = dialect_at(method, found[2]) if found else None
        return (dialect, Given(model=found[1] or "")) if dialect and found else None

    def account_headers(self, credential: Credential) -> RawHeaders:
        """A key or a token."""
        return [*self._resource.headers, *_authentication(credential)]

    def own_request(self, attempt: Attempt, credential: Credential) -> tuple[Prepared, RawHeaders]:
        """Name the version, where the dated API is in use and the client does not say."""
        own, version = attempt.call.own, self._resource.api_version
        if own is not None and version is not None and "api-version=" not in own.query:
            query = "&".join(filter(None, (own.query, f"api-version={version}")))
            attempt = replace(attempt, call=replace(attempt.call, own=replace(own, query=query)))
        return super().own_request(attempt, credential)

    async def send(self, attempt: Attempt) -> Answer:
        """Send a call, or open a session."""
        if attempt.target.dialect != "openai.realtime":
            return await super().send(attempt)
        from gateway.provider.realtime import open_session  # noqa: PLC0415 - slow to import, and rarely needed

        url = self._realtime_url(attempt.target.model)
        return await open_session(
            self,
            attempt.call.principal.tenant,
            lambda one: (url, realtime_headers(self.account_headers(one), attempt.call)),
        )

    def _realtime_url(self, model: str) -> str:
        """https://learn.microsoft.com/azure/foundry/openai/how-to/realtime-audio-websockets."""
        deployment, version = self._resource.deployments.get(model, model), self._resource.api_version
        if version is None:
            return realtime_url(f"{self._resource.endpoint}/openai/v1", deployment)
        query = urlencode({"api-version": version, "deployment": deployment})
        return f"{self._resource.endpoint}/openai/realtime?{query}"

    async def check_credential(self, credential: Credential) -> bool:
        """Ask for the list of models."""
        if credential.renews_at <= time.monotonic():
            await credential.renew()
        await self.probe(self._head("GET", "/models", credential))
        return True

    def _head(self, method: str, path: str, credential: Credential) -> Prepared:
        prepared = credential.prepared.get(path)
        if prepared is None:
            if len(credential.prepared) >= _HEADS:  # clients choose names of models
                credential.prepared.clear()
            base, query = f"{self._resource.endpoint}/openai/v1", ""
            if self._resource.api_version is not None:
                base, query = (
                    f"{self._resource.endpoint}/openai",
                    f"?api-version={self._resource.api_version}",
                )
            headers = self.account_headers(credential)
            prepared = self.client.prepare(method, f"{base}{path}{query}", headers)
            credential.prepared[path] = prepared
        return prepared


class EntraCredential(Credential):
    """A token instead of a key."""

    __slots__ = ()


def use_token(credential: Credential, token: str) -> None:
    """Take a new token."""
    credential.secret = token


def _authentication(credential: Credential) -> RawHeaders:
    secret = (credential.secret or "").encode()
    if isinstance(credential, EntraCredential):
        return [(b"authorization", b"Bearer " + secret)]
    return [(b"api-key", secret)]


def _with_model(body: bytes, model: str) -> bytes:
    fields = _decode_fields(body)
    fields["model"] = Raw(msgspec.json.encode(model))
    return msgspec.json.encode(fields)


def _form_with_model(body: bytes, model: str) -> bytes:
    return multipart.parse_again(body).with_text("model", model)
