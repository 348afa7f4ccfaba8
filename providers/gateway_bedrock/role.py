"""Temporary access keys of the role of the EC2 instance that the gateway runs on, from its metadata service (IMDSv2).

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Final
from urllib.parse import quote

import msgspec
from msgspec import Struct

from gateway.errors import ProviderError
from gateway.provider import Failures
from gateway.provider.service import beginning
from gateway.types import RawHeaders
from gateway.upstream import Client, UpstreamError
from gateway_bedrock.sigv4 import Signer

_SESSION_SECONDS: Final = b"300"
_ROLES: Final = "/latest/meta-data/iam/security-credentials/"


class _Keys(Struct, rename="pascal"):
    access_key_id: str
    secret_access_key: str
    token: str
    expiration: datetime


_decode = msgspec.json.Decoder(_Keys).decode


class InstanceRole:
    """Asks one metadata service."""

    def __init__(self, name: str, client: Client, url: str, region: str, failures: Failures) -> None:
        self._name = name
        self._client = client
        self._url = url
        self._region = region
        self._failures = failures

    async def fetch(self) -> tuple[Signer, float]:
        """Return a signer, and for how many seconds its access key is good. Raises `ProviderError`."""
        session = await self._ask(
            "PUT", "/latest/api/token", [(b"x-aws-ec2-metadata-token-ttl-seconds", _SESSION_SECONDS)]
        )
        headers = [(b"x-aws-ec2-metadata-token", session.strip())]
        role = (await self._ask("GET", _ROLES, headers)).decode("ascii", "replace").strip()
        body = await self._ask("GET", _ROLES + quote(role, safe=""), headers)
        try:
            keys = _decode(body)
            seconds = keys.expiration.timestamp() - time.time()
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise self._none("what it sent is no access key") from None
        signer = Signer(
            keys.access_key_id, keys.secret_access_key, keys.token, region=self._region, service="bedrock"
        )
        return signer, seconds

    async def _ask(self, method: str, path: str, headers: RawHeaders) -> bytes:
        try:
            prepared = self._client.prepare(method, self._url + path, headers, metadata=True)
            response = await self._client.send(prepared)
            body = await beginning(response)
        except UpstreamError as error:
            raise self._failures.broken(error) from error
        if response.status != 200:  # noqa: PLR2004 - HTTP's OK
            raise self._none(f"status {response.status} for {path}")
        return body

    def _none(self, why: str) -> ProviderError:
        return ProviderError(
            f"The provider '{self._name}' got no access key from the instance's metadata service ({why}).",
            provider=self._name,
            status=502,
            code="upstream_authentication",
        )
