"""A service over HTTP, as a provider: sends each call, tries its credentials in turn, words what goes wrong."""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import msgspec

from gateway.errors import ProviderError
from gateway.provider import refusals
from gateway.provider.credentials import NEVER, Credential, Credentials
from gateway.provider.failures import Failures
from gateway.provider.forwarding import forward, merged
from gateway.provider.listing import names
from gateway.provider.paths import OwnPaths
from gateway.provider.stream import Stream
from gateway.provider.turns import renewed, retry_after
from gateway.types import (
    Answer,
    Attempt,
    Capability,
    CredentialKind,
    Dialect,
    HeldCredential,
    RawHeaders,
    ReportCredential,
)
from gateway.upstream import Client, Prepared, Response, UpstreamError
from gateway.wire import Given

ERROR_BYTES = 65_536
"""How much of an error's body is read."""
_NOT_THIS_KEY = frozenset({401, 403, 429})
"""What a service answers when it does not take the credential, or has seen it too often."""
_SOUND = (b"audio/", b"video/", b"application/octet-stream")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_USUAL = (b'{"id"', b'{"object"', b'{"model"', b'{"choices"', b'{"candidates"', b'{"content"')
"""How answers begin that are no error; a pattern costs six times as much to ask."""
_OBJECT = re.compile(rb'\s*\{(\s*"(?:error"\s*:|type"\s*:\s*"error"))?')


class Service(ABC):
    """Base class of providers that send requests over HTTP. A subclass says where to, and how."""

    dialects: Mapping[Capability, Dialect]
    passed_on: ClassVar[frozenset[bytes]] = frozenset({b"content-type"})
    """Headers of the service that clients may see. Others tell of the operator's account, or of the connection."""
    streams: ClassVar[tuple[bytes, ...]] = (b"text/event-stream",)
    """Content types of a streamed answer."""
    query_credentials: ClassVar[frozenset[str]] = frozenset()
    """Parameters of a URL that hold a credential: a client's is never handed on."""
    paths: OwnPaths | None = None
    """The service's own paths, where clients may use some."""
    headers: Callable[[str | None], RawHeaders]
    """Makes the headers of an account from its secret, for requests to the service's own paths."""

    def __init__(
        self,
        name: str,
        *,
        catalogue: str,
        client: Client,
        credentials: Credentials,
        failures: Failures,
        models: Sequence[str],
    ) -> None:
        self.name = name
        self.catalogue = catalogue
        self.models = models
        self.client = client
        self.credentials = credentials
        self.failures = failures

    @abstractmethod
    def request(self, attempt: Attempt, credential: Credential) -> tuple[Prepared, bytes, RawHeaders]:
        """Return the head to send an attempt with, the body, and headers of this one request.

        `attempt.target.dialect` is the body's dialect. Keep heads in `credential.prepared`, they are costly.
        """

    def is_answer(self, response: Response) -> bool:
        """Whether a whole answer may be other than a JSON object, as sound is. Override for such capabilities."""
        kind = response.header(b"content-type") or b""
        return kind.startswith(
            (b"audio/", b"image/", b"video/", b"text/plain", b"text/vtt", b"application/x-subrip")
        )

    def is_streamed(self, attempt: Attempt) -> bool:
        """Whether the service is asked to stream. Override where a dialect cannot do what the client asked for."""
        return attempt.call.stream

    def dialect_of(self, method: str, path: str) -> tuple[Dialect, Given] | None:
        """Return what kind of call a request for one of the service's own paths is; None when it is none.

        `path` is decoded and below the base URL. Override it to name the endpoints that make calls: those are metered.
        """
        del method, path

    def names_model(self, path: str) -> str | None:
        """Return the model that a declared path names, where the service has such paths."""
        del path

    def account_headers(self, credential: Credential) -> RawHeaders:
        """Return the headers that every request to this account has."""
        return self.headers(credential.secret)

    def own_request(self, attempt: Attempt, credential: Credential) -> tuple[Prepared, RawHeaders]:
        """Return the head for a request to one of the service's own paths, and headers of this one request."""
        own, paths = attempt.call.own, self.paths
        assert own is not None
        assert paths is not None, "paths are only found where there are some"
        url = paths.url(own.path) + (f"?{own.query}" if own.query else "")
        headers = merged(self.account_headers(credential), own.headers)
        return self.client.prepare(own.method, url, headers), []

    async def send(self, attempt: Attempt) -> Answer:
        """Send the request; where the service refuses the credential, try the others within the same attempt."""
        if attempt.call.own is not None:
            return await forward(self, attempt)
        credentials, tenant = self.credentials, attempt.call.principal.tenant
        credential = credentials.only or (credentials := credentials.of(tenant)).first()
        tried: list[Credential] = []
        while True:
            if credential.renews_at != NEVER and credential.renews_at <= time.monotonic():
                credential = await renewed(credential, credentials, tried)
            prepared, body, headers = self.request(attempt, credential)
            try:
                response = await self.client.send(prepared, body, headers=headers)
                if 200 <= response.status < 300:  # noqa: PLR2004 - HTTP's range of success
                    whole = None if self.is_streamed(attempt) else response.whole()
                    if whole is None:
                        answer = await self._answer(response, attempt)
                    else:
                        answer = self._whole(response, whole)
                    answer.credential = credential.mark
                    if credential.report is not None:
                        credential.report(None)
                    return answer
                error, refuses_key = await self.refusal(response)
            except UpstreamError as failure:
                raise self.failures.broken(failure) from failure
            if not refuses_key:
                raise error
            credential.refused(error.status, error.message, retry_after(error.headers))
            tried.append(credential)
            if (other := credentials.another(tried)) is None:
                raise error
            credential = other

    @property
    def takes_vault(self) -> bool:
        """Whether it takes credentials from the vault, too."""
        return bool(self.credentials.makers)

    @property
    def credential_kinds(self) -> Sequence[CredentialKind]:
        """What it takes from the vault."""
        return [maker.kind for maker in self.credentials.makers.values()]

    @property
    def has_credentials(self) -> bool:
        """Whether there is one, if only one that holds no key, for tenants without their own."""
        return any(True for _ in self.credentials)

    def use_credentials(self, held: Sequence[HeldCredential], report: ReportCredential) -> None:
        """Use these of the vault from now on."""
        makers = self.credentials.makers
        self.failures.hide(
            secret
            for one in held
            if one.fields and one.kind in makers
            for secret in makers[one.kind].secrets(one.fields)
        )
        self.credentials.use(self.name, held, report)

    def credential_hint(self, kind: str, fields: Mapping[str, str]) -> str:
        """Return the text by which people know a credential. Raises `ConfigError` when it is none."""
        maker = self.credentials.makers[kind]
        maker.make(fields)
        return maker.hint(fields)

    async def try_credential(self, kind: str, fields: Mapping[str, str]) -> bool:
        """Make a real call with a credential; False where the service has nothing to ask. Raises `ProviderError`."""
        maker = self.credentials.makers[kind]
        with self.failures.hiding(maker.secrets(fields)):
            return await self.check_credential(maker.make(fields))

    async def check(self) -> None:
        """Try every credential. Raises `ProviderError` when the service refuses one."""
        for credential in self.credentials:
            await self.check_credential(credential)

    @abstractmethod
    async def check_credential(self, credential: Credential) -> bool:
        """Make a cheap call with a credential; False where the service has nothing to ask. Raises `ProviderError`."""

    async def probe(self, prepared: Prepared, body: bytes = b"") -> None:
        """Send a request of no consequence, for `check`. Raises `ProviderError` unless the service says 200."""
        try:
            response = await self.client.send(prepared, body)
            if response.status != 200:  # noqa: PLR2004 - HTTP's OK
                error, _ = await self.refusal(response)
                raise error
            response.close()
        except UpstreamError as failure:
            raise self.failures.broken(failure) from failure

    async def listed(self, prepared: Prepared) -> list[str]:
        """Ask for the list of models and return their names, for `list_models`.

        Raises `ProviderError` unless the service answers with such a list.
        """
        try:
            response = await self.client.send(prepared, b"")
            if response.status != 200:  # noqa: PLR2004 - HTTP's OK
                error, _ = await self.refusal(response)
                raise error
            body = await response.read()
        except UpstreamError as failure:
            raise self.failures.broken(failure) from failure
        try:
            return names(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise self.failures.unusable("no list of models; check its base_url") from None

    async def refusal(self, response: Response) -> tuple[ProviderError, bool]:
        """Return the error for an answer without success, and whether another credential may fare better."""
        status = response.status
        if status < 400:  # noqa: PLR2004 - HTTP's range of errors begins there
            response.close()
            return self.failures.unusable(f"a redirect (status {status}); check its base_url"), False
        error, refusal = self.failures.refused(status, response.headers, await beginning(response))
        return error, status in _NOT_THIS_KEY and not refusal.about_content()

    async def fetch(
        self,
        prepare: Callable[[Credential], tuple[Prepared, RawHeaders]],
        *,
        tenant: str = "",
        mark: str = "",
        follow: Callable[[str], Prepared | None] | None = None,
    ) -> Answer:
        """Send a request that is no call and has no body; the answer's body comes as a stream, of whatever type.

        `mark` names the credential to use; where it is not known any more, all of the tenant's are tried, as long as
        the service does not know what is asked for. `follow` makes the request that a redirect leads to, or none. Raises `ProviderError` for
        everything but success.
        """
        error: ProviderError | None = None
        for credential in self.credentials.marked(tenant, mark):
            if credential.renews_at <= time.monotonic():
                await credential.renew()
            prepared, headers = prepare(credential)
            try:
                response = await self.client.send(prepared, headers=headers)
                if response.status in _REDIRECTS and follow is not None:
                    next_one = follow((response.header(b"location") or b"").decode("latin-1"))
                    if next_one is not None:
                        response.close()
                        response = await self.client.send(next_one)
                if 200 <= response.status < 300:  # noqa: PLR2004 - HTTP's range of success
                    return self._streamed(response)
                error, refuses_key = await self.refusal(response)
            except UpstreamError as failure:
                raise self.failures.broken(failure) from failure
            if not (refuses_key or response.status == 404):  # noqa: PLR2004 - HTTP's Not Found
                break
        assert error is not None, "there is always a credential"
        raise error

    def _streamed(self, response: Response) -> Answer:
        headers = [header for header in response.headers if header[0] in self.passed_on]
        response.headers.clear()  # nobody asks for the others any more, and a stream may be open for long
        return Answer(
            response.status,
            headers,
            stream=Stream(response, self.failures),
            close=response.close,
            scrub=self.failures.scrub,
        )

    async def _answer(self, response: Response, attempt: Attempt) -> Answer:
        capability = attempt.call.capability
        if self.is_streamed(attempt):
            kind = response.header(b"content-type") or b""
            if kind.startswith(self.streams) or (capability == "speech" and kind.startswith(_SOUND)):
                return self._streamed(response)
            # Not every model can stream what it hears: some say it whole all the same.
            if capability != "transcription":
                said = kind.partition(b";")[0].decode("latin-1") or "something without a content type"
                body = await beginning(response)
                raise self.failures.hidden(
                    response.headers, body, f"{said} where a stream of events was expected"
                )
        return self._whole(response, await response.read())

    def _whole(self, response: Response, body: bytes) -> Answer:
        # Whether the rest is valid JSON shows when usage is read from it.
        if not body.startswith(_USUAL):
            found = _OBJECT.match(body)
            if found is None:
                if not self.is_answer(response):
                    raise self.failures.unusable("an answer that is not a JSON object")
            elif found[1] and refusals.read(body):
                raise self.failures.hidden(response.headers, body, "an error")
        passed_on = self.passed_on
        headers = [header for header in response.headers if header[0] in passed_on]
        return Answer(response.status, headers, body=body, scrub=self.failures.scrub)


async def beginning(response: Response) -> bytes:
    """Read as much of a body as an error may need; when it breaks off, its beginning has to do."""
    parts: list[bytes] = []
    size = 0
    try:
        async for chunk in response:
            parts.append(chunk)
            size += len(chunk)
            if size >= ERROR_BYTES:
                break
    except UpstreamError:
        if not parts and response.status < 400:  # noqa: PLR2004 - an error status says enough by itself
            raise
    finally:
        response.close()
    return b"".join(parts)[:ERROR_BYTES]
