"""Credentials in turn: the next one where the service does not take one."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from gateway.errors import ProviderError
from gateway.provider.credentials import Credential, Credentials
from gateway.types import Answer


async def in_turn(
    credentials: Credentials,
    attempt: Callable[[Credential], Awaitable[tuple[Answer | ProviderError, bool]]],
) -> Answer:
    """Return the first answer that is not a refusal of the credential, or else the last one.

    `attempt` tells what came of a credential, and whether another one may fare better. Raises the `ProviderError` where
    that is what came.
    """
    credential: Credential | None = credentials.first()
    tried: list[Credential] = []
    while True:
        assert credential is not None
        if credential.renews_at <= time.monotonic():
            credential = await renewed(credential, credentials, tried)
        result, refuses_key = await attempt(credential)
        if refuses_key:
            said = result.message if isinstance(result, ProviderError) else "The service refused it."
            credential.refused(result.status, said, retry_after(result.headers))
            tried.append(credential)
            credential = credentials.another(tried)
        elif credential.report is not None and result.status < HTTPStatus.BAD_REQUEST:
            credential.report(None)
        if not refuses_key or credential is None:
            if isinstance(result, ProviderError):
                raise result
            return result


async def renewed(credential: Credential, credentials: Credentials, tried: list[Credential]) -> Credential:
    """Fetch a new secret for a credential; where there is none, take the next one, and note that this one was tried.

    Raises `ProviderError` when no other is left.
    """
    while credential.renews_at <= time.monotonic():
        try:
            await credential.renew()
        except ProviderError as error:
            credential.not_renewed(error)
            tried.append(credential)
            another = credentials.another(tried)
            if another is None:
                raise
            credential = another
        else:
            break
    return credential


def retry_after(headers: Iterable[tuple[bytes, bytes]]) -> float | None:
    """Return the seconds that `retry-after-ms` or `retry-after` (RFC 9110, 10.2.3) ask for."""
    said = dict(headers)
    for name, unit in ((b"retry-after-ms", 1000.0), (b"retry-after", 1.0)):
        value = said.get(name)
        if value is None:
            continue
        text = value.decode("latin-1")
        try:
            return float(text) / unit
        except ValueError:
            pass  # not a number: it may be a date
        try:
            return parsedate_to_datetime(text).timestamp() - time.time()
        except ValueError:
            continue
    return None
