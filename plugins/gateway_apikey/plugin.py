"""Recognises the gateway's API keys, by a digest looked up in memory."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway.errors import AuthenticationFailed, PermissionDenied
from gateway.plugin import Plugin, PluginConfig, hookimpl
from gateway.store.keys import hint_of
from gateway_apikey.snapshot import Entry, Snapshot
from gateway_apikey.usage import Usage

if TYPE_CHECKING:
    from gateway.plugin import Context
    from gateway.protocols import Authenticator, Incoming
    from gateway.types import Principal

_BEARER = b"bearer "
_KEY_HEADERS = (b"x-api-key", b"api-key", b"x-goog-api-key")
"""Where the SDKs of Anthropic, Azure and Gemini put their keys."""

_JWT_DOTS = 2
_SESSION = b"gs_"
_SHOWABLE = 20


class ApiKey(Plugin[PluginConfig]):
    """Authenticates by `Authorization: Bearer gw_…`, `x-api-key`, `api-key` or `x-goog-api-key`."""

    id = "auth.apikey"

    def __init__(self, name: str, config: PluginConfig, context: Context) -> None:
        super().__init__(name, config, context)
        self._snapshot = Snapshot(
            context.database,
            context.changes,
            authenticator=name,
            operator_tenant=context.sessions.rules.operator_tenant,
            log=self.log,
        )
        self._entries = self._snapshot.entries
        self._usage = Usage(context.database, log=self.log)
        self._used_at = self._usage.at

    async def startup(self) -> None:
        """Load the keys and begin to watch for changes. Raises when the database cannot be read."""
        await self._snapshot.start()
        self._usage.start()

    async def shutdown(self) -> None:
        await self._snapshot.stop()
        await self._usage.stop()

    @hookimpl
    def register_authenticators(self) -> Sequence[Authenticator]:
        return (self,)

    async def authenticate(self, incoming: Incoming) -> Principal | None:
        """The principal of the key; None without a credential, and for a JWT or a session's token, which others know.

        Raises `AuthenticationFailed` for an unknown, expired or revoked key, or one whose owner is disabled;
        `PermissionDenied` for one that may not come from this address; `Unavailable` for an unknown one while the
        database is away, `RateLimited` for one after too many wrong ones.
        """
        headers = incoming.headers
        value = headers.get(b"authorization")
        if value is not None and value[:7].lower() == _BEARER:
            key = value[7:].strip()
        else:
            for name in _KEY_HEADERS:
                if (key := headers.get(name, b"")) != b"":
                    break
            else:
                return None
        digest = hashlib.sha256(key).digest()
        entry = self._entries.get(digest)
        if entry is None:
            if not key or key.count(b".") == _JWT_DOTS or key.startswith(_SESSION):
                return None
            self.context.attempts.check(incoming.client)
            entry = await self._snapshot.look_up(digest)
        if entry is None or entry.until <= (now := time.time()):
            raise _refusal(key, entry)
        if entry.networks is not None and not entry.networks.admit(incoming.client):
            raise PermissionDenied(
                "This API key may not be used from your address.", code="address_not_allowed"
            )
        self._used_at[entry.key] = now
        return entry.principal


def _refusal(key: bytes, entry: Entry | None) -> AuthenticationFailed:
    if entry is not None:
        return AuthenticationFailed(f"The API key {hint_of(key.decode('latin-1'))} {entry.problem}.")
    # Whatever else was pasted into the field, a password perhaps, is not repeated.
    shown = (
        f": {hint_of(key.decode())}"
        if key.startswith(b"gw_") and key.isascii() and len(key) > _SHOWABLE
        else ""
    )
    return AuthenticationFailed(f"Incorrect API key provided{shown}.")
