"""The sessions that a worker has seen lately, held in memory: forgotten as soon as anything about them changes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import AuthenticationFailed, GatewayError
from gateway.identity.permissions import permissions_of
from gateway.store.sessions import REVISION, changed_sessions, note_seen, with_access
from gateway.types import Principal

if TYPE_CHECKING:
    from gateway.identity.people import Rules
    from gateway.store import Database
    from gateway.store.changes import Changes
    from gateway.store.sessions import Standing

log = logging.getLogger("gateway.sessions")

AUTHENTICATOR: Final = "session"
SEEN_SECONDS = 60.0
"""So exact is `last_seen_at`."""

_WRITE_SECONDS = 5.0
_MOST = 20_000
_RIGHTS: Final = ("memberships", "roles", "users")
"""Tables whose changes may change what anybody may do."""


class Known:
    """What an access token stands for."""

    __slots__ = ("csrf", "principal", "seen_at", "session", "until")

    def __init__(self, standing: Standing, principal: Principal, until: float) -> None:
        self.session = standing.session.id
        self.principal = principal
        self.csrf = standing.csrf
        self.until = until
        self.seen_at = standing.session.last_seen_at


class KnownSessions:
    """Sessions by the digest of their access token."""

    def __init__(self, database: Database, changes: Changes, rules: Rules) -> None:
        self._database = database
        self._changes = changes
        self._rules = rules
        self.entries: dict[bytes, Known] = {}
        self._digests: dict[str, bytes] = {}
        self._revision = 0
        self._generation = 0
        self._seen: dict[str, float] = {}
        self._writer: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        """Begin to watch. Raises what the database raises."""
        self.forget_all()
        self._revision = 0
        await self._changes.watch(REVISION, self._sessions_changed)
        for name in _RIGHTS:
            await self._changes.watch(name, self._rights_changed)

    async def shutdown(self) -> None:
        """Write what is not written yet of when sessions were last used."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer
        await self._write_seen()

    async def look_up(self, digest: bytes) -> Known:
        """What the database says. Raises `AuthenticationFailed`; `Unavailable` when it does not answer."""
        generation, now = self._generation, time.time()
        standing = await with_access(self._database, digest)
        if standing is None:
            raise ended()
        session = standing.session
        until = min(session.access_expires_at, session.expires_at)
        if session.revoked_at is not None or until <= now or not standing.enabled:
            raise ended()
        known = Known(standing, self._principal(standing), until)
        if generation == self._generation:  # else it may be older than a change that was seen meanwhile
            self._remember(digest, known)
        return known

    def forget(self, session: str) -> None:
        """Read that session anew when it comes again."""
        self._generation += 1
        digest = self._digests.pop(session, None)
        if digest is not None:
            self.entries.pop(digest, None)

    def forget_all(self) -> None:
        """Read all sessions anew."""
        self._generation += 1
        self.entries.clear()
        self._digests.clear()

    def note(self, known: Known, now: float) -> None:
        """Have it written, with others, that a session is in use."""
        known.seen_at = now
        self._seen[known.session] = now
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_later(), name="sessions: last seen")

    def _remember(self, digest: bytes, known: Known) -> None:
        while len(self.entries) >= _MOST:
            oldest = self.entries.pop(next(iter(self.entries)))
            self._digests.pop(oldest.session, None)
        self.entries[digest] = known
        self._digests[known.session] = digest

    def _principal(self, standing: Standing) -> Principal:
        session, role = standing.session, standing.role
        operator = session.tenant == self._rules.operator_tenant
        granted = permissions_of(role or "", operator=operator, custom=standing.permissions)
        return Principal(
            tenant=session.tenant,
            authenticator=AUTHENTICATOR,
            user=session.user,
            session=session.id,
            roles=frozenset() if role is None else frozenset({role}),
            scopes=frozenset() if role is None else granted,
        )

    async def _sessions_changed(self, revision: int) -> None:
        if revision < self._revision:  # another table than before: a restored backup
            self._revision = revision
            self.forget_all()
            return
        self._generation += 1
        if not self.entries:
            self._revision = revision
            return
        self._revision, changed = await changed_sessions(self._database, self._revision)
        for session in changed:
            self.forget(session)

    async def _rights_changed(self, _revision: int) -> None:
        self.forget_all()

    async def _write_later(self) -> None:
        await asyncio.sleep(_WRITE_SECONDS)
        self._writer = None
        await self._write_seen()

    async def _write_seen(self) -> None:
        seen, self._seen = self._seen, {}
        if not seen:
            return
        try:
            await note_seen(self._database, seen)
        except (GatewayError, SQLAlchemyError) as error:
            log.warning("it could not be written when %s sessions were last used: %s", len(seen), error)


def ended() -> AuthenticationFailed:
    """What whoever comes with a token that does not hold is told."""
    return AuthenticationFailed(
        "The session has ended, or its access token has expired. Refresh it, or sign in again.",
        code="session_ended",
    )
