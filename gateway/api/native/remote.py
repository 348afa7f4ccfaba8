"""Asks a provider at its own paths, with the gateway's credential."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from http import HTTPStatus
from typing import Any, Final, cast

import msgspec

from gateway.api.relay import collected
from gateway.errors import ConfigError, PermissionDenied, ProviderError
from gateway.protocols import Forwards, Provider
from gateway.types import Answer, Attempt, Call, OwnPath, Principal, Target
from gateway.wire import PASSTHROUGH

MAX_OBJECT_BYTES: Final = 2**20
"""Of the description of a file or a batch."""

_JSON: Final = "application/json"
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Remote:
    """One provider, which the operator has named in the setting `setting`.

    Raises `ConfigError` when it has no paths of its own that the gateway could ask.
    """

    def __init__(
        self, provider: Provider | None, name: str, *, setting: str, new_id: Callable[[], str]
    ) -> None:
        if provider is None:
            raise ConfigError([f"gateway.files.{setting}: no provider '{name}' is enabled"])
        if not isinstance(provider, Forwards) or provider.paths is None:
            raise ConfigError(
                [
                    f"gateway.files.{setting}: '{name}' keeps no files; name another provider, or leave the setting out"
                ]
            )
        self.name = name
        self.paths = provider.paths
        self.catalogue = provider.catalogue
        self._provider = provider
        self._new_id = new_id

    async def send(
        self,
        principal: Principal,
        method: str,
        path: str,
        *,
        query: str = "",
        body: bytes = b"",
        content_type: str = _JSON,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> Answer:
        """Send a request that is no call, with the content type where there is a body. What is refused is an answer, too.

        Raises `ProviderError` when it cannot be reached, `PermissionDenied` for who may not use this provider.
        """
        if principal.providers is not None and self.name not in principal.providers:
            raise PermissionDenied(
                f"This account may not use the provider '{self.name}', which keeps files and batches.",
                code="provider_not_allowed",
            )
        number = self._new_id()
        sent = [(b"content-type", content_type.encode("latin-1", "replace"))] if body else []
        call = Call(
            id=f"call_{number}",
            request_id=f"req_{number}",
            client_request_id=None,
            capability="passthrough",
            dialect=PASSTHROUGH,
            model=path,
            stream=False,
            shows_usage=True,
            body=body,
            content_type=content_type,
            principal=principal,
            received_at=time.time(),
            own=OwnPath(
                method=method,
                path=path,
                query=query,
                headers=[*headers, *sent],
                model=None,
            ),
            provider=self.name,
        )
        target = Target(self.name, path, PASSTHROUGH)
        attempt = Attempt(call=call, target=target, number=1, body=body, content_type=content_type)
        return await self._provider.send(attempt)

    async def ask(
        self,
        principal: Principal,
        method: str,
        path: str,
        *,
        query: str = "",
        body: bytes = b"",
        content_type: str = _JSON,
        most: int = MAX_OBJECT_BYTES,
    ) -> dict[str, Any]:
        """Send a request and return the object that it is answered with, which has at most so many bytes.

        Raises `ProviderError` for everything but success, with the provider's own words.
        """
        answer = await self.send(principal, method, path, query=query, body=body, content_type=content_type)
        return await self.object_of(answer, most=most)

    async def object_of(self, answer: Answer, *, most: int = MAX_OBJECT_BYTES) -> dict[str, Any]:
        """Read the object that an answer is. Raises as `ask`."""
        fields = _object(await self.read(answer, most=most))
        if fields is None:
            told = f"The provider '{self.name}' sent something else than a JSON object."
            raise ProviderError(told, provider=self.name, code="upstream_malformed")
        return fields

    async def read(self, answer: Answer, *, most: int = MAX_OBJECT_BYTES) -> bytes:
        """Read the body of an answer. Raises `ProviderError` for everything but success, with the provider's own words."""
        said = await collected(answer, most)  # a larger one is cut, and so no JSON
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise self.refused(answer.status, _object(said))
        return said

    async def content(self, principal: Principal, path: str, *, query: str = "") -> AsyncIterator[bytes]:
        """Yield what is in a file, as it comes. Raises `ProviderError` for everything but the whole of it."""
        answer = await self.send(principal, "GET", path, query=query)
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise self.refused(answer.status, _object(await collected(answer, MAX_OBJECT_BYTES)))
        try:
            yield answer.body
            if answer.stream is not None:
                async for chunk in answer.stream:
                    yield chunk
        finally:
            if answer.close is not None:
                answer.close()

    def refused(self, status: int, fields: dict[str, Any] | None) -> ProviderError:
        """Make the error of what a provider said."""
        error = (fields or {}).get("error")
        said = cast("dict[str, Any]", error) if isinstance(error, dict) else {}
        message = said.get("message")

        def text(name: str) -> str | None:
            value = said.get(name)
            return value if isinstance(value, str) else None

        return ProviderError(
            message if isinstance(message, str) else f"The provider '{self.name}' answered with {status}.",
            provider=self.name,
            status=status,
            type=text("type"),
            code=text("code") or text("status"),  # as Google calls it
            param=text("param"),
        )


def _object(said: bytes) -> dict[str, Any] | None:
    try:
        return _decode(said)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
