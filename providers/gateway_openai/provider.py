"""Sends calls to a service that speaks OpenAI's API.

https://platform.openai.com/docs/api-reference
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime

import msgspec

from gateway.errors import ProviderError
from gateway.types import Answer, Attempt, Capability, Dialect
from gateway.upstream import Client, Response, UpstreamError
from gateway_openai import refusals
from gateway_openai.credentials import Credential, Credentials
from gateway_openai.failures import Failures
from gateway_openai.presets import Preset
from gateway_openai.stream import Stream

_PASSED_ON = frozenset({b"content-type", b"openai-processing-ms", b"openai-version"})
"""Headers for the client. Others tell of the operator's account, or of the connection."""
_ERROR_BYTES = 65_536
"""How much of an error's body is read."""
_NOT_THIS_KEY = frozenset({401, 403, 429})
"""What a service answers when it does not take the credential, or has seen it too often."""
_OBJECT = re.compile(rb'\s*\{(\s*"error"\s*:)?')

_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class OpenAIProvider:
    """One service, under the name of its table in plugins.toml."""

    dialects: Mapping[Capability, Dialect] = {"chat": "openai.chat", "embedding": "openai.embeddings"}

    def __init__(
        self,
        name: str,
        preset: Preset,
        *,
        client: Client,
        credentials: Credentials,
        failures: Failures,
        models: Sequence[str],
    ) -> None:
        self.name = name
        self.catalogue = preset.catalogue
        self.models = models
        self._preset = preset
        self._client = client
        self._credentials = credentials
        self._failures = failures

    async def send(self, attempt: Attempt) -> Answer:
        """Send the request; where the service refuses the credential, try the others within the same attempt."""
        call = attempt.call
        stream = call.stream
        body = attempt.body
        if stream and not self._preset.takes_stream_options:
            body = _without_stream_options(body)
        credential: Credential | None = self._credentials.first()
        tried: list[Credential] = []
        while True:
            assert credential is not None
            prepared = credential.chat if call.capability == "chat" else credential.embeddings
            try:
                response = await self._client.send(prepared, body)
                if 200 <= response.status < 300:  # noqa: PLR2004 - HTTP's range of success
                    return await self._answer(response, stream=stream)
                error, refuses_key = await self._refusal(response)
            except UpstreamError as failure:
                raise self._failures.broken(failure) from failure
            if not refuses_key:
                raise error
            credential.rest(_retry_after(response))
            tried.append(credential)
            credential = self._credentials.another(tried)
            if credential is None:
                raise error

    async def check(self) -> None:
        """Ask for the list of models with every credential, where the service has such a list."""
        if not self._preset.lists_models:
            return
        for credential in self._credentials:
            try:
                response = await self._client.send(credential.models)
                if response.status != 200:  # noqa: PLR2004 - HTTP's OK
                    error, _ = await self._refusal(response)
                    raise error
                response.close()
            except UpstreamError as failure:
                raise self._failures.broken(failure) from failure

    async def _answer(self, response: Response, *, stream: bool) -> Answer:
        headers = [header for header in response.headers if header[0] in _PASSED_ON]
        if stream:
            kind = response.header(b"content-type") or b""
            if kind.startswith(b"text/event-stream"):
                return Answer(
                    response.status,
                    headers,
                    stream=Stream(response, self._failures),
                    close=response.close,
                    scrub=self._failures.scrub,
                )
            said = kind.partition(b";")[0].decode("latin-1") or "something without a content type"
            body = await _beginning(response)
            raise self._failures.hidden(
                response.headers, body, f"{said} where a stream of events was expected"
            )
        body = await response.read()
        # Whether the rest is valid JSON shows when usage is read from it.
        found = _OBJECT.match(body)
        if found is None:
            raise self._failures.unusable("an answer that is not a JSON object")
        if found[1] and refusals.read(body):
            raise self._failures.hidden(response.headers, body, "an error")
        return Answer(response.status, headers, body=body)

    async def _refusal(self, response: Response) -> tuple[ProviderError, bool]:
        """Return the error for an answer without success, and whether another credential may fare better."""
        status = response.status
        if status < 400:  # noqa: PLR2004 - HTTP's range of errors begins there
            response.close()
            return self._failures.unusable(f"a redirect (status {status}); check its base_url"), False
        error, refusal = self._failures.refused(status, response.headers, await _beginning(response))
        return error, status in _NOT_THIS_KEY and not refusal.about_content()


async def _beginning(response: Response) -> bytes:
    """Read as much of a body as an error may need; when it breaks off, its beginning has to do."""
    parts: list[bytes] = []
    size = 0
    try:
        async for chunk in response:
            parts.append(chunk)
            size += len(chunk)
            if size >= _ERROR_BYTES:
                break
    except UpstreamError:
        if not parts and response.status < 400:  # noqa: PLR2004 - an error status says enough by itself
            raise
    finally:
        response.close()
    return b"".join(parts)[:_ERROR_BYTES]


def _retry_after(response: Response) -> float | None:
    """Return the seconds that `retry-after-ms` or `retry-after` (RFC 9110, 10.2.3) ask for."""
    for name, unit in ((b"retry-after-ms", 1000.0), (b"retry-after", 1.0)):
        value = response.header(name)
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


def _without_stream_options(body: bytes) -> bytes:
    fields = _decode_fields(body)
    if fields.pop("stream_options", None) is None:
        return body
    return msgspec.json.encode(fields)
