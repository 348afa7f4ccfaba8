"""Access tokens for a service account: a signed assertion (RFC 7523) is exchanged for a token of an hour.

https://developers.google.com/identity/protocols/oauth2/service-account#httprest
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from gateway.errors import ConfigError, ProviderError
from gateway.provider import Credential, Failures
from gateway.provider.service import beginning
from gateway.upstream import Client, UpstreamError

SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFE: Final = 3600
_EARLY: Final = 300.0
"""Seconds before its end at which a token is renewed, so that none expires on the way."""


class Account(Struct):
    """The JSON key of a service account."""

    client_email: str
    private_key: str
    private_key_id: str = ""
    token_uri: str = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address


class _Token(Struct):
    access_token: str
    expires_in: float = float(_LIFE)


_decode_token = msgspec.json.Decoder(_Token).decode


def read_account(text: str) -> Account:
    """Read a key. Raises `ConfigError` when it is none."""
    try:
        return msgspec.json.decode(text, type=Account)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ConfigError(
            ["service_account: must be the JSON key of a service account, with client_email and private_key"]
        ) from None


def signer(account: Account) -> Callable[[bytes], bytes]:
    """Return what signs with the account's key (RS256). Raises `ConfigError` when the key or the library is missing."""
    try:
        from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: PLC0415
    except ImportError:
        raise ConfigError(
            ["service_account: needs the package 'cryptography': pip install 'asgi-gateway[vertex]'"]
        ) from None
    try:
        key = serialization.load_pem_private_key(account.private_key.encode(), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ConfigError(["service_account: its private_key is no RSA key in PEM"])
    return lambda data: key.sign(data, padding.PKCS1v15(), hashes.SHA256())


class TokenCredential(Credential):
    """A token instead of a key."""

    __slots__ = ()


def with_account(text: str, client: Client, failures: Failures) -> TokenCredential:
    """Return a credential whose tokens are fetched for the account whose JSON key this is. Raises `ConfigError`."""
    return TokenCredential(None, renew=Tokens(read_account(text), client, failures).renew)


class Tokens:
    """Fetches tokens for one account."""

    def __init__(self, account: Account, client: Client, failures: Failures) -> None:
        self._account = account
        self._sign = signer(account)
        self._client = client
        self._failures = failures
        self._head = client.prepare(
            "POST", account.token_uri, [(b"content-type", b"application/x-www-form-urlencoded")]
        )

    async def renew(self, credential: Credential) -> None:
        """Give the credential a new token. Raises `ProviderError` when none can be had."""
        form = urlencode({"grant_type": _GRANT, "assertion": self._assertion(int(time.time()))}).encode()
        try:
            response = await self._client.send(self._head, form)
            if response.status != 200:  # noqa: PLR2004 - HTTP's OK
                error, _ = self._failures.refused(
                    response.status, response.headers, await beginning(response)
                )
                raise ProviderError(
                    f"No access token for the service account: {error.message}",
                    provider=error.provider,
                    status=502,
                    code="upstream_credentials",
                )
            token = _decode_token(await response.read())
        except UpstreamError as failure:
            raise self._failures.broken(failure) from failure
        except (msgspec.DecodeError, UnicodeDecodeError) as failure:
            raise self._failures.unusable("an answer without an access token") from failure
        credential.secret = token.access_token
        credential.renews_at = time.monotonic() + max(token.expires_in - _EARLY, 0.0)

    def _assertion(self, now: int) -> str:
        account = self._account
        header = {"alg": "RS256", "typ": "JWT", "kid": account.private_key_id}
        claims = {
            "iss": account.client_email,
            "scope": SCOPE,
            "aud": account.token_uri,
            "iat": now,
            "exp": now + _LIFE,
        }
        signed = f"{_segment(header)}.{_segment(claims)}"
        return f"{signed}.{_base64(self._sign(signed.encode()))}"


def _segment(fields: dict[str, Any]) -> str:
    return _base64(msgspec.json.encode(fields))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
