"""The keys of the database, held in memory and kept fresh by one task."""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import TYPE_CHECKING, NamedTuple

from gateway.errors import Unavailable
from gateway.identity.keys import principal_of, problem_of_owner
from gateway.store.key_feed import FOLLOWED, Seen, changes_since
from gateway_apikey.networks import Networks

if TYPE_CHECKING:
    import logging

    from gateway.store import Database
    from gateway.store.changes import Changes
    from gateway.store.key_owners import Owners
    from gateway.store.key_rows import ApiKey
    from gateway.types import Principal

POLL_SECONDS = 0.4
"""From one attempt to the next while the database is away."""

LOOK_UP_SECONDS = 2.0
"""How long a call with an unknown key waits for the database."""

_REFRESH_SECONDS = 5.0
_MAX_UNKNOWN = 10_000


class Entry(NamedTuple):
    """What a digest stands for."""

    key: str
    principal: Principal
    until: float
    """Unix seconds from which on the key is refused; infinity when it has no end."""
    networks: Networks | None
    """From where it may come; None for everywhere."""
    problem: str
    """Why it is refused from then on, as the end of the sentence "The API key …"."""


class Snapshot:
    """All keys by digest. A key it does not hold is looked up by bringing the whole snapshot up to date.

    So any number of calls with guessed keys share one cheap query at a time, and a new key works at once.
    While the database is away the known keys go on working.
    """

    def __init__(
        self,
        database: Database,
        changes: Changes,
        *,
        authenticator: str,
        operator_tenant: str,
        log: logging.Logger,
    ) -> None:
        self._database = database
        self._changes = changes
        self._authenticator = authenticator
        self._operator_tenant = operator_tenant
        self._log = log
        self.entries: dict[bytes, Entry] = {}
        self._owned: dict[bytes, ApiKey] = {}
        self._owners: Owners = {}
        self._seen = Seen()
        self._unknown: set[bytes] = set()
        self._waiting: list[asyncio.Future[bool]] = []
        self._asked = asyncio.Event()
        self._away = False
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Load all keys and begin to watch. Raises what the database raises."""
        await self._refresh()
        self._watch = asyncio.create_task(self._keep_fresh(), name="apikey: follow changes")
        for name in FOLLOWED:
            await self._changes.watch(name, self._changed)

    async def stop(self) -> None:
        """End the watch; whoever still waits is told that the gateway cannot know."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
            self._watch = None
        self._answer(self._waiting, fresh=False)

    async def look_up(self, digest: bytes) -> Entry | None:
        """What the database says about a digest that `entries` does not hold; None when it is unknown there too.

        Raises `Unavailable` when the database does not answer.
        """
        if digest in self._unknown and not self._away:
            return None
        if self._away or not await self._ask():
            raise Unavailable(
                "The gateway cannot check this API key now, because its database does not answer.",
                headers=[(b"retry-after", b"1")],
            )
        entry = self.entries.get(digest)
        if entry is None:
            if len(self._unknown) >= _MAX_UNKNOWN:
                self._unknown.clear()
            self._unknown.add(digest)
        return entry

    async def _ask(self) -> bool:
        """Wait until a refresh that began after this moment is done; False when it failed or takes too long."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        self._asked.set()
        try:
            return await asyncio.wait_for(done, LOOK_UP_SECONDS)
        except TimeoutError:
            return False

    async def _changed(self, _revision: int) -> None:
        self._asked.set()

    async def _keep_fresh(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS if self._away else None):
                    await self._asked.wait()
            self._asked.clear()
            waiting, self._waiting = self._waiting, []
            try:
                async with asyncio.timeout(_REFRESH_SECONDS):
                    await self._refresh()
            except Exception as error:  # noqa: BLE001 - whatever the driver raises, the watch goes on
                if not self._away:
                    self._away = True
                    self._log.error(
                        "The API keys cannot be read from the database: known keys go on working, unknown ones "
                        "get 503, changes wait. (%s: %s)",
                        type(error).__name__,
                        error,
                    )
            else:
                self._answer(waiting, fresh=True)
                if self._away:
                    self._away = False
                    self._log.warning("The API keys can be read from the database again.")
            finally:
                self._answer(waiting, fresh=False)

    @staticmethod
    def _answer(waiting: list[asyncio.Future[bool]], *, fresh: bool) -> None:
        for done in waiting:
            if not done.done():
                done.set_result(fresh)

    async def _refresh(self) -> None:
        changes = await changes_since(self._database, self._seen)
        if changes.seen == self._seen:
            return
        if changes.seen.keys < self._seen.keys:  # another table than before: a restored backup, a new file
            changes = await changes_since(self._database, Seen())
            self.entries.clear()
            self._owned.clear()
        if changes.owners is not None and changes.owners != self._owners:
            self._owners = changes.owners
            for digest, key in self._owned.items():
                self.entries[digest] = self._entry_of(key)
        for key in changes.keys:
            if key.owner is not None:
                self._owned[key.digest] = key
            self.entries[key.digest] = self._entry_of(key)
        self._unknown.clear()
        self._seen = changes.seen

    def _entry_of(self, key: ApiKey) -> Entry:
        owner = None if key.owner is None else self._owners.get((key.tenant, key.owner))
        until, problem = math.inf if key.expires_at is None else key.expires_at, "has expired"
        if key.revoked_at is not None:
            until, problem = -math.inf, "was revoked"
        elif (why := problem_of_owner(key, owner)) is not None:
            until, problem = -math.inf, why
        return Entry(
            key.id,
            principal_of(
                key, owner, authenticator=self._authenticator, operator_tenant=self._operator_tenant
            ),
            until,
            None if key.networks is None else Networks(key.networks),
            problem,
        )
