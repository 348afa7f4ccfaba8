"""Signs requests as AWS wants them: Signature Version 4, with the hash of the body and headers that are named.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from gateway.types import RawHeaders

_ALGORITHM = "AWS4-HMAC-SHA256"
_UNRESERVED = "-_.~"


class Signer:
    """One access key, for one service in one region. The key of the day is derived once a day."""

    def __init__(
        self,
        access_key_id: str,
        secret_access_key: str,
        session_token: str | None,
        *,
        region: str,
        service: str,
    ) -> None:
        self._id = access_key_id
        self._secret = secret_access_key
        self._token = session_token
        self._region = region
        self._service = service
        self._day = ""
        self._key = b""

    def sign(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, *, now: float, query: str = ""
    ) -> RawHeaders:
        """Return the headers to add.

        `path` and `query` are as they stand in the request, encoded; `headers` are to be signed: lower-case names,
        `host` among them. `now` is in Unix seconds.
        """
        moment = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
        added = {"x-amz-date": moment}
        if self._token is not None:
            added["x-amz-security-token"] = self._token
        signed = {**headers, **added}
        scope = f"{moment[:8]}/{self._region}/{self._service}/aws4_request"
        request = canonical_request(method, path, query, signed, body)
        text = f"{_ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signature = hmac.new(self._signing_key(moment[:8]), text.encode(), hashlib.sha256).hexdigest()
        added["authorization"] = (
            f"{_ALGORITHM} Credential={self._id}/{scope}, SignedHeaders={_names(signed)}, Signature={signature}"
        )
        return [(name.encode(), value.encode("latin-1")) for name, value in added.items()]

    def _signing_key(self, day: str) -> bytes:
        if day != self._day:
            key = f"AWS4{self._secret}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = hmac.new(key, part.encode(), hashlib.sha256).digest()
            self._key, self._day = key, day
        return self._key


def canonical_request(method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> str:
    """Write the request in the form that is hashed. The path is encoded once more, as for all services but S3."""
    lines = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in sorted(headers))
    uri = quote(path, safe="/" + _UNRESERVED)
    arguments = "&".join(sorted(query.split("&"))) if query else ""
    return "\n".join([method, uri, arguments, lines, _names(headers), hashlib.sha256(body).hexdigest()])


def canonical_query(query: str) -> str:
    """Write a query as it is signed: every name with a value, and in one encoding."""
    pairs = [part.partition("=") for part in query.split("&") if part]
    return "&".join(
        f"{quote(unquote(name), safe=_UNRESERVED)}={quote(unquote(value), safe=_UNRESERVED)}"
        for name, _, value in pairs
    )


def _names(headers: Mapping[str, str]) -> str:
    return ";".join(sorted(headers))
