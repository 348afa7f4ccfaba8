"""Requests for a service's own paths: handed on as they came, and so are the answers."""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar, Final, Protocol

from gateway.errors import ProviderError
from gateway.provider.credentials import Credential, Credentials
from gateway.provider.failures import Failures
from gateway.provider.stream import Stream
from gateway.provider.turns import in_turn
from gateway.types import Answer, Attempt, RawHeaders
from gateway.upstream import Client, Prepared, Response, UpstreamError

RELAYED: Final = frozenset(
    {
        b"accept-ranges",
        b"allow",
        b"cache-control",
        b"content-disposition",
        b"content-encoding",
        b"content-language",
        b"content-length",
        b"content-range",
        b"content-type",
        b"etag",
        b"expires",
        b"last-modified",
        b"retry-after",
        b"retry-after-ms",
        b"vary",
    }
)
"""Headers that say something about the content. Others tell of the operator's account, or of the connection."""
_CLIENTS: Final = frozenset({b"accept", b"content-type"})
"""Headers that only the client can know."""
_EMPTY: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
"""These have no body, whatever their heads say of its length."""
_NOT_THIS_KEY: Final = frozenset({401, 403, 429})


class Account(Protocol):
    """A service, as far as this needs it."""

    passed_on: ClassVar[frozenset[bytes]]
    client: Client
    credentials: Credentials
    failures: Failures

    def own_request(self, attempt: Attempt, credential: Credential) -> tuple[Prepared, RawHeaders]:
        """Return the head for a request to one of the service's own paths, and headers of this one request."""
        ...


async def forward(service: Account, attempt: Attempt) -> Answer:
    """Send a request for one of the service's own paths, with the next credential where one is not taken."""

    async def send(credential: Credential) -> tuple[Answer | ProviderError, bool]:
        try:
            prepared, headers = service.own_request(attempt, credential)
            response = await service.client.send(prepared, attempt.body, headers=headers)
            answer = await _answer(service, response)
        except UpstreamError as failure:
            raise service.failures.broken(failure) from failure
        return answer, response.status in _NOT_THIS_KEY

    return await in_turn(service.credentials.of(attempt.call.principal.tenant), send)


def merged(ours: RawHeaders, theirs: RawHeaders) -> RawHeaders:
    """Add the client's headers to those of the account, which count more; what a content is, the client knows."""
    kept = [header for header in ours if header[0] not in _CLIENTS]
    taken = {name for name, _ in kept}
    return [*kept, *(header for header in theirs if header[0] not in taken)]


async def _answer(service: Account, response: Response) -> Answer:
    status = response.status
    headers = [
        header for header in response.headers if header[0] in RELAYED or header[0] in service.passed_on
    ]
    if status >= HTTPStatus.BAD_REQUEST:
        # An error may name the account's key; all else in it is the client's to read.
        said = service.failures.clean((await response.read()).decode("latin-1")).encode("latin-1")
        plain = [header for header in headers if header[0] != b"content-length"]
        return Answer(status, plain, body=said)
    if status >= HTTPStatus.MULTIPLE_CHOICES and status != HTTPStatus.NOT_MODIFIED:
        response.close()
        raise service.failures.unusable(f"a redirect (status {status}), and the gateway follows none")
    if status in _EMPTY:
        headers = [header for header in headers if header[0] != b"content-length"]
    return Answer(
        status,
        headers,
        stream=Stream(response, service.failures),
        close=response.close,
        scrub=service.failures.scrub,
    )
