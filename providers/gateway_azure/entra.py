"""Tokens of Entra ID, for an application or a managed identity, fetched anew before they expire.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
"""

from __future__ import annotations

import logging
from typing import Final
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from gateway.errors import ProviderError
from gateway.provider import Failures
from gateway.provider.service import beginning
from gateway.upstream import Client, Prepared, UpstreamError

log = logging.getLogger("gateway.provider")

_IDENTITY_VERSION: Final = "2018-02-01"


class _Token(Struct):
    access_token: str
    expires_in: float


class _Refused(Struct):
    error: str = ""
    error_description: str = ""


_decode_token = msgspec.json.Decoder(
    _Token, strict=False
).decode  # the identity service writes numbers as texts
_decode_refused = msgspec.json.Decoder(_Refused).decode


class Tokens:
    """Fetches tokens from one place."""

    def __init__(
        self, name: str, client: Client, prepared: Prepared, body: bytes, failures: Failures
    ) -> None:
        self._name = name
        self._client = client
        self._prepared = prepared
        self._body = body
        self._failures = failures

    async def fetch(self) -> tuple[str, float]:
        """Return a token, and for how many seconds it is good. Raises `ProviderError`."""
        try:
            response = await self._client.send(self._prepared, self._body)
            body = await beginning(response)
        except UpstreamError as error:
            raise self._failures.broken(error) from error
        if response.status != 200:  # noqa: PLR2004 - HTTP's OK
            raise self._refused(response.status, body)
        try:
            token = _decode_token(body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise self._failures.unusable("no token where it should have sent one") from None
        return token.access_token, token.expires_in

    def _refused(self, status: int, body: bytes) -> ProviderError:
        """Tell the client the kind of the error; its description names the operator's tenant, and is for the log."""
        try:
            refused = _decode_refused(body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            refused = _Refused()
        kind = refused.error or f"status {status}"
        log.warning("%s: no token: %s", self._name, self._failures.scrub(refused.error_description or kind))
        return ProviderError(
            f"The provider '{self._name}' got no token from Entra ID ({kind}).",
            provider=self._name,
            status=502,
            code="upstream_authentication",
        )


def application_request(
    client: Client, authority: str, application: tuple[str, str, str], scope: str
) -> tuple[Prepared, bytes]:
    """Prepare the request for a token of an application: tenant, id, secret."""
    tenant, identity, secret = application
    url = f"{authority}/{quote(tenant, safe='')}/oauth2/v2.0/token"
    body = urlencode(
        {
            "grant_type": "client_credentials",
            "client_id": identity,
            "client_secret": secret,
            "scope": scope,
        }
    )
    headers = [(b"content-type", b"application/x-www-form-urlencoded"), (b"accept", b"application/json")]
    return client.prepare("POST", url, headers), body.encode()


def identity_request(
    client: Client, identity_url: str, client_id: str | None, scope: str
) -> tuple[Prepared, bytes]:
    """Prepare the request for a token of the machine's own identity, or of one that was assigned to it."""
    resource = scope.removesuffix("/.default")
    query = {"api-version": _IDENTITY_VERSION, "resource": resource}
    if client_id is not None:
        query["client_id"] = client_id
    url = f"{identity_url}/metadata/identity/oauth2/token?{urlencode(query)}"
    return client.prepare("GET", url, [(b"metadata", b"true")], metadata=True), b""
