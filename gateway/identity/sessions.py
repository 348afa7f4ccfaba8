"""Sessions: every way to sign in ends in one, and every worker knows within a second when one is revoked."""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from msgspec.structs import replace

from gateway.errors import AuthenticationFailed, InvalidRequest, PermissionDenied
from gateway.identity import entry, ways
from gateway.identity.attempts import Beginnings
from gateway.identity.cookies import Cookies
from gateway.identity.known import SEEN_SECONDS, Known, KnownSessions, ended
from gateway.identity.people import SignedIn, Visitor
from gateway.identity.tokens import ACCESS, digest_of, family_of, first_tokens, next_tokens, same_tokens
from gateway.store import sessions as stored
from gateway.store.audit import Actor, record
from gateway.store.changes import bump
from gateway.store.identities import list_identities, replace_data, use_identity
from gateway.store.memberships import roles_of
from gateway.store.random_ids import new_id, new_secret

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.identity.people import Client, Identity, Proof, Rules, Session
    from gateway.protocols import Incoming
    from gateway.store import Database
    from gateway.store.changes import Changes
    from gateway.types import Principal

CSRF_HEADER: Final = b"x-csrf-token"
CSRF_FIELD: Final = "csrf_token"

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_BEARER, _ACCESS = b"bearer ", ACCESS.encode()
_FORM = b"application/x-www-form-urlencoded"
_MINUTE, _DAY = 60.0, 86400.0
_RETRY_SECONDS = 10.0
"""For so long a refresh that is asked for twice by the same client gets the same answer."""
_MAX_ADDRESS, _MAX_AGENT = 64, 300


class Sessions:
    """Signs people in, and recognises their sessions. Also an authenticator."""

    def __init__(self, database: Database, changes: Changes, rules: Rules) -> None:
        self._database = database
        self.rules = rules
        self.cookies = Cookies(rules)
        self._beginnings = Beginnings(rules.sign_ins_per_minute, database)
        self._known = KnownSessions(database, changes, rules)
        self._entries = self._known.entries

    async def startup(self) -> None:
        """Begin to watch for sessions that end, and for roles that change."""
        await self._known.startup()

    async def shutdown(self) -> None:
        """Write when sessions were last used."""
        await self._known.shutdown()

    async def authenticate(self, incoming: Incoming) -> Principal | None:
        """The principal of a session's access token: a bearer token `gs_…`, or the session cookie.

        A request that changes something and comes by cookie needs the header `x-csrf-token` or the form field of it.
        Raises `AuthenticationFailed` for a token that does not hold, `PermissionDenied` without that header.
        """
        headers = incoming.headers
        value = headers.get(b"authorization")
        if value is not None:
            if value[7:10] != _ACCESS or value[:7].lower() != _BEARER:
                return None
            return (await self._find(value[7:].strip())).principal
        cookie = headers.get(b"cookie")
        # Browsers send cookies with the opening of any WebSocket, whoever's page it is on.
        if cookie is None or b"sec-websocket-key" in headers:
            return None
        token = self.cookies.access(cookie)
        if token is None:
            return None
        known = await self._find(token)
        if incoming.method not in _SAFE:
            await _check_csrf(known, incoming)
        return known.principal

    async def holder(self, access: str) -> Principal:
        """Whose an access token is. Raises `AuthenticationFailed`."""
        return (await self._find(access.encode())).principal

    async def visit(self, headers: Mapping[bytes, bytes], *, client: Client) -> Visitor | None:
        """Whose browser asks for a page; None when nobody is signed in. Refreshes the session where that is due.

        The answer must carry its `headers`; whatever changes something must `check` the form first.
        """
        cookie = headers.get(b"cookie", b"")
        token = self.cookies.access(cookie)
        if token is not None:
            try:
                known = await self._find(token)
            except AuthenticationFailed:
                pass
            else:
                return Visitor(principal=known.principal, csrf=known.csrf)
        renewal = self.cookies.refresh(cookie)
        if renewal is None:
            return None
        try:
            signed_in = await self.refresh(renewal.decode("latin-1"), client=client)
            known = await self._find(signed_in.access.encode())
        except AuthenticationFailed:
            return None
        return Visitor(principal=known.principal, csrf=known.csrf, headers=self.cookies.headers(signed_in))

    async def begin(self, address: str | None) -> None:
        """Count a sign-in that is begun, before anything is stored for it. Raises `RateLimited`, `Unavailable`."""
        await self._beginnings.begin(address)

    async def sign_in(
        self, proof: Proof, *, method: str, client: Client, invitation: str | None = None
    ) -> SignedIn:
        """Open a session for the user that the proof is of; a new user is made as the rules say.

        Raises `PermissionDenied` when nobody is invited, or the user is disabled; `InvalidRequest` for an invitation
        that does not hold.
        """
        found = await entry.enter(self._database, proof, self.rules, client=client, invitation=invitation)
        return await self._open(found.user, found.identity, found.tenant, method=method, client=client)

    async def sign_in_user(
        self, user: str, *, method: str, client: Client, allowed_in: str | None = None
    ) -> SignedIn:
        """Open a session for a user who has been let in by other means: a one-time link, an approved device.

        `allowed_in` is the session in which the user has approved: the new one comes from where that came from.
        Raises `PermissionDenied` when the user is disabled, or gone, or that session has ended.
        """
        identity = None
        if allowed_in is not None:
            async with self._database.connect() as connection:
                source = await stored.get_session(connection, allowed_in, user=user)
            if source is None or source.revoked_at is not None:
                raise PermissionDenied(
                    "The session in which this was allowed has ended.", code="session_ended"
                )
            identity = source.identity
        return await self._open(user, identity, None, method=method, client=client)

    async def accept_invitation(self, session: str, *, user: str, token: str, client: Client) -> str:
        """Make a signed-in user a member of the tenant that invites, act for it, and return it.

        Raises `InvalidRequest` for an invitation that does not hold, `PermissionDenied` when it is somebody else's.
        """
        tenant = await entry.accept_invitation(self._database, user, token, client=client)
        await self.switch_tenant(session, tenant, user=user)
        return tenant

    async def refresh(self, token: str, *, client: Client) -> SignedIn:
        """Replace both tokens. Raises `AuthenticationFailed`; a token used twice ends its session.

        The same client may ask twice within a few seconds, as two tabs of a browser do, and gets the same tokens.
        """
        family, digest = digest_of(family_of(token)), digest_of(token)
        async with self._database.connect() as connection:
            if await stored.with_family(connection, family) is None:
                raise ended()
        now, agent = time.time(), entry.printable(client.agent, _MAX_AGENT)
        async with self._database.begin() as connection:
            revision = await bump(connection, stored.REVISION)
            standing = await stored.with_family(connection, family)
            if standing is None or not _holds(standing, now):
                raise ended()
            session, digests = standing.session, standing.digests
            if hmac.compare_digest(digest, digests.refresh):
                tokens, digests = next_tokens(token, now)
                session = replace(
                    session,
                    last_seen_at=now,
                    access_expires_at=now + self.rules.access_minutes * _MINUTE,
                    expires_at=now + self.rules.session_days * _DAY,
                    address=entry.printable(client.address, _MAX_ADDRESS),
                    agent=agent,
                )
                await stored.replace_tokens(connection, session, digests, revision=revision)
            elif _is_retry(digest, digests, now) and agent == session.agent:
                tokens = same_tokens(token, digests.salt)
            else:
                tokens = None
                await stored.end_sessions(
                    connection, session.user, only=session.id, now=now, revision=revision
                )
                actor = Actor(kind="gateway", id="sessions", address=client.address)
                reason = {"reason": "a refresh token was used twice"}
                await record(
                    connection, actor, "session.revoke", session.id, tenant=session.tenant, after=reason
                )
        self._known.forget(session.id)
        if tokens is None:
            raise ended()
        return SignedIn(session=session, access=tokens.access, refresh=tokens.refresh)

    async def switch_tenant(self, session: str, tenant: str, *, user: str) -> Session:
        """Act for another tenant that the user is a member of. Raises `PermissionDenied`."""
        async with self._database.begin() as connection:
            revision = await bump(connection, stored.REVISION)
            present = await _own(connection, session, user)
            if tenant not in await roles_of(connection, user):
                raise PermissionDenied(f"You are no member of the tenant {tenant!r}.")
            await stored.move_session(connection, session, tenant, revision=revision)
            await record(
                connection,
                Actor(kind="user", id=user),
                "session.switch",
                session,
                tenant=tenant,
                before={"tenant": present.tenant},
                after={"tenant": tenant},
            )
        self._known.forget(session)
        return replace(present, tenant=tenant)

    async def sessions_of(self, user: str) -> list[Session]:
        """The user's sessions that have not ended, newest first."""
        return await stored.active_sessions(self._database, user, now=time.time())

    async def revoke(self, session: str, *, user: str, actor: Actor) -> None:
        """End a session of that user's. Raises `InvalidRequest` (404) when there is none."""
        if not await self._end(user, actor, only=session):
            async with self._database.connect() as connection:
                await _own(connection, session, user)

    async def revoke_others(self, session: str, *, user: str, actor: Actor) -> int:
        """End all sessions of that user's but one. Return how many there were."""
        return len(await self._end(user, actor, but=session))

    async def identity(self, kind: str, subject: str) -> Identity | None:
        """The identity with that subject, whoever it belongs to."""
        return await ways.find(self._database, kind, subject)

    async def identities_of(self, user: str) -> list[Identity]:
        """The ways in which a user signs in, oldest first."""
        return await list_identities(self._database, user)

    async def add_identity(self, user: str, proof: Proof, *, actor: Actor) -> Identity:
        """Give a signed-in user another way to sign in. Raises `InvalidRequest` (409) when it is somebody's already."""
        return await ways.add(self._database, user, proof, actor)

    async def update_identity(self, identity: str, data: dict[str, Any]) -> None:
        """Replace what its kind needs to remember: a passkey's counter."""
        await replace_data(self._database, identity, data)

    async def remove_identity(self, user: str, identity: str, *, actor: Actor) -> None:
        """Take a way to sign in away, and end the sessions that came from it.

        Raises `InvalidRequest`: 404, 409 for the last one.
        """
        for session in await ways.remove(self._database, user, identity, actor):
            self._known.forget(session)

    async def _find(self, token: bytes) -> Known:
        digest = sha256(token).digest()
        known = self._entries.get(digest)
        now = time.time()
        if known is None or known.until <= now:
            known = await self._known.look_up(digest)
        if now - known.seen_at > SEEN_SECONDS:
            self._known.note(known, now)
        return known

    async def _open(
        self, user: str, identity: str | None, tenant: str | None, *, method: str, client: Client
    ) -> SignedIn:
        now = time.time()
        tokens, digests = first_tokens(now)
        async with self._database.begin() as connection:
            revision = await bump(connection, stored.REVISION)
            if not await stored.is_enabled(connection, user):
                raise PermissionDenied("This account is disabled.", code="account_disabled")
            if identity is not None and not await use_identity(connection, identity, at=now):
                raise PermissionDenied("This way to sign in has just been removed.", code="identity_removed")
            places = await roles_of(connection, user)
            if not places:
                raise PermissionDenied("You are not a member of any tenant any more.", code="no_membership")
            last = tenant or await stored.last_tenant(connection, user) or ""
            session = stored.Session(
                id=new_id("ses_"),
                user=user,
                tenant=last if last in places else next(iter(places)),
                identity=identity,
                method=method,
                created_at=now,
                last_seen_at=now,
                access_expires_at=now + self.rules.access_minutes * _MINUTE,
                expires_at=now + self.rules.session_days * _DAY,
                revoked_at=None,
                address=entry.printable(client.address, _MAX_ADDRESS),
                agent=entry.printable(client.agent, _MAX_AGENT),
            )
            await stored.insert_session(connection, session, digests, csrf=new_secret(""), revision=revision)
            actor = Actor(kind="user", id=user, address=session.address)
            after = {"method": method, "identity": identity}
            await record(connection, actor, "session.open", session.id, tenant=session.tenant, after=after)
        return SignedIn(session=session, access=tokens.access, refresh=tokens.refresh)

    async def _end(
        self, user: str, actor: Actor, *, only: str | None = None, but: str | None = None
    ) -> list[str]:
        async with self._database.begin() as connection:
            revision = await bump(connection, stored.REVISION)
            ended = await stored.end_sessions(
                connection, user, now=time.time(), revision=revision, only=only, but=but
            )
            for session, tenant in ended:
                await record(connection, actor, "session.revoke", session, tenant=tenant)
        for session, _ in ended:
            self._known.forget(session)
        return [session for session, _ in ended]


async def _own(connection: AsyncConnection, session: str, user: str) -> Session:
    found = await stored.get_session(connection, session, user=user)
    if found is None:
        raise InvalidRequest(f"You have no session {session!r}.", status=404, code="not_found")
    return found


def _holds(standing: stored.Standing, now: float) -> bool:
    session = standing.session
    return standing.enabled and session.revoked_at is None and session.expires_at > now


def _is_retry(digest: bytes, digests: stored.Digests, now: float) -> bool:
    return digest == digests.spent and now - digests.refreshed_at <= _RETRY_SECONDS


async def _check_csrf(known: Known, incoming: Incoming) -> None:
    token = incoming.headers.get(CSRF_HEADER)
    if token is None and incoming.headers.get(b"content-type", b"").startswith(_FORM):
        fields = parse_qs((await incoming.body()).decode("latin-1"))
        token = fields.get(CSRF_FIELD, [""])[0].encode("latin-1")
    if not hmac.compare_digest(token or b"", known.csrf.encode()):
        raise PermissionDenied(
            "A request that changes something and comes with a cookie needs the header x-csrf-token.",
            code="csrf",
        )
