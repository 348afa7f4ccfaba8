"""Turns everything that can go wrong with a service into `ProviderError`s."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

from gateway import upstream
from gateway.errors import ProviderError
from gateway.provider import refusals
from gateway.provider.refusals import Refusal, Scrubber
from gateway.types import RawHeaders

log = logging.getLogger("gateway.provider")

_CLIENTS_FAULT = frozenset({400, 404, 405, 413, 415, 422})
"""No other target would take such a request either."""
_ADVICE = frozenset({b"retry-after", b"retry-after-ms", b"x-should-retry"})
"""Headers that tell SDKs when to try again."""
_BROKEN: Mapping[type, tuple[int, str, str]] = {
    upstream.ConnectTimeout: (504, "upstream_timeout", "could not be connected to in time"),
    upstream.PoolTimeout: (504, "upstream_timeout", "has no connection to spare"),
    upstream.FirstByteTimeout: (504, "upstream_timeout", "did not begin to answer in time"),
    upstream.IdleTimeout: (504, "upstream_timeout", "stopped in the middle of its answer"),
    upstream.TotalTimeout: (504, "upstream_timeout", "did not finish its answer in time"),
    upstream.ConnectFailed: (502, "upstream_unreachable", "could not be reached"),
    upstream.MalformedResponse: (502, "upstream_malformed", "sent an answer that is not valid HTTP"),
    upstream.BodyTooLarge: (502, "upstream_malformed", "sent an answer that is too large"),
    upstream.UpstreamError: (502, "upstream_cut", "closed the connection before its answer was complete"),
}
"""Status, code and words for what the client says; the last is for a lost connection."""


class Failures:
    """Words failures of one provider instance."""

    def __init__(self, name: str, scrubber: Scrubber) -> None:
        self._name = name
        self.scrub = scrubber.scrub
        """Removes the credentials of this instance from a text, and cuts it short."""
        self.clean = scrubber.clean
        """Only removes them."""
        self.hide = scrubber.hide
        """Has the vault's secrets removed, too."""
        self.hiding = scrubber.hiding
        """Has some more removed for as long as they are tried."""

    def refused(self, status: int, headers: RawHeaders, body: bytes) -> tuple[ProviderError, Refusal]:
        """Make the error for an answer with an error status: the service's own words, minus secrets."""
        said = refusals.read(body)
        refusal = said or Refusal()
        scrub = self._scrubbed
        advice = [
            (name, self.scrub(value.decode("latin-1")).encode("latin-1", "replace"))
            for name, value in headers
            if name in _ADVICE
        ]
        if refusal.retry_after is not None and not any(name == b"retry-after" for name, _ in advice):
            advice.append((b"retry-after", b"%d" % math.ceil(refusal.retry_after)))
        error = ProviderError(
            scrub(refusal.message) or self._bare(status),
            provider=self._name,
            can_fall_back=status not in _CLIENTS_FAULT,
            status=status,
            type=scrub(refusal.type),
            code=scrub(refusal.code),
            param=scrub(refusal.param),
            headers=advice,
        )
        if said is not None:
            error.code = scrub(said.code)  # a service that says null means it
            error.inner = self._scrubbed_all(said.inner)
        return error, refusal

    def unusable(self, what: str) -> ProviderError:
        """Make the error for an answer that is a success by its status, but not an answer."""
        return ProviderError(
            f"The provider '{self._name}' sent {what}.",
            provider=self._name,
            status=502,
            code="upstream_malformed",
        )

    def hidden(self, headers: RawHeaders, body: bytes, what: str) -> ProviderError:
        """Make the error for one that came with status 200; `what` says how to call it when it is none."""
        refusal = refusals.read(body)
        if refusal is None:
            return self.unusable(what)
        return self.refused(refusal.status or 502, headers, body)[0]

    def broken(self, error: upstream.UpstreamError) -> ProviderError:
        """Make the error for a connection that could not be made, or broke, or went silent.

        Which host it was, and what the system said, is for the operator's log only.
        """
        log.warning("%s: %s", self._name, error)
        status, code, what = next(_BROKEN[kind] for kind in type(error).__mro__ if kind in _BROKEN)
        return ProviderError(
            f"The provider '{self._name}' {what}.", provider=self._name, status=status, code=code
        )

    def _scrubbed_all(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.scrub(value)
        if isinstance(value, list):
            return [self._scrubbed_all(item) for item in cast("list[Any]", value)]
        if isinstance(value, dict):
            return {
                self.scrub(key): self._scrubbed_all(item)
                for key, item in cast("dict[str, Any]", value).items()
            }
        return value

    def _scrubbed(self, text: str | None) -> str | None:
        return None if text is None else self.scrub(text)

    def _bare(self, status: int) -> str:
        try:
            phrase = f" ({HTTPStatus(status).phrase})"
        except ValueError:
            phrase = ""
        return f"The provider '{self._name}' answered with status {status}{phrase}."
