"""Keeps the providers of a running gateway supplied with the vault's credentials, and notes how these fare."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from gateway.errors import GatewayError
from gateway.store.credentials import REVISION, Note, StoredCredential, all_credentials, note
from gateway.types import HeldCredential
from gateway.vault.credentials import opened
from gateway.vault.envelope import CannotOpen, sealed_part

if TYPE_CHECKING:
    from gateway.protocols import UsesVault
    from gateway.store import Database
    from gateway.store.changes import Changes
    from gateway.vault.vault import Vault

log = logging.getLogger("gateway.vault")

NOTE_SECONDS: Final = 60.0
"""What goes on as before is written down so often and no more, for each credential and worker."""
_GATHER_SECONDS: Final = 0.2


class _Known(Struct, frozen=True):
    part: bytes
    fields: Mapping[str, str]


class LiveCredentials:
    """Reads the vault at the start and after every change; with no provider that uses it, never."""

    def __init__(
        self, database: Database, changes: Changes, vault: Vault, providers: Iterable[UsesVault]
    ) -> None:
        self._database = database
        self._changes = changes
        self.vault = vault
        self._providers = {provider.name: provider for provider in providers if provider.takes_vault}
        self._known: dict[str, _Known] = {}
        """Secrets by id. What was open once stays open when another worker seals it with a key that is new here."""
        self._complained: set[tuple[str, int]] = set()
        self._noted: dict[str, tuple[float, str | None]] = {}
        self._notes: dict[str, Note] = {}
        self._writing: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        """Supply the providers from now on. Raises `ConfigError` when the command for the master key fails."""
        if not self._providers:
            return
        await self.vault.startup()
        if not self.vault.configured:
            log.warning(
                "%s: vault = true, but [gateway.vault] has no master key: `gateway vault init` makes one",
                ", ".join(self._providers),
            )
        await self._changes.watch(REVISION, self._refresh)

    async def stop(self) -> None:
        """Write down what is known and forget the secrets."""
        if self._writing is not None:
            self._writing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._writing
            self._writing = None
        await self._write()
        self._known.clear()

    async def _refresh(self, _revision: int) -> None:
        rows = [row for row in await all_credentials(self._database) if row.provider in self._providers]
        self._known = {row.id: known for row in rows if (known := self._opened(row)) is not None}
        self._noted = {one: noted for one, noted in self._noted.items() if one in self._known}
        for name, provider in self._providers.items():
            provider.use_credentials([self._held(row) for row in rows if row.provider == name], self._report)

    def _opened(self, row: StoredCredential) -> _Known | None:
        known, part = self._known.get(row.id), sealed_part(row.sealed)
        if known is not None and known.part == part:
            return known
        try:
            return _Known(part, opened(self.vault, row))
        except CannotOpen as problem:
            if (row.id, row.revision) not in self._complained:
                self._complained.add((row.id, row.revision))
                log.error("credential %s of %s: %s", row.id, row.provider, problem.message)  # noqa: TRY400 - its own words say it all
            return None

    def _held(self, row: StoredCredential) -> HeldCredential:
        known = self._known.get(row.id)
        return HeldCredential(
            tenant=row.tenant,
            id=row.id,
            kind=row.kind,
            fields=None if known is None else known.fields,
            weight=row.weight,
            enabled=row.enabled,
        )

    def _report(self, held: HeldCredential, error: str | None) -> None:
        """Note how a call went; called with every call, so what is known already costs next to nothing."""
        now = time.monotonic()
        noted = self._noted.get(held.id)
        if noted is not None and noted[1] == error and now - noted[0] < NOTE_SECONDS:
            return
        self._noted[held.id] = (now, error)
        self._notes[held.id] = Note(tenant=held.tenant, id=held.id, at=time.time(), error=error)
        if error is not None:
            log.warning("credential %s was refused: %s", held.id, error)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write_soon())

    async def _write_soon(self) -> None:
        while self._notes:
            await asyncio.sleep(_GATHER_SECONDS)
            await self._write()

    async def _write(self) -> None:
        notes: Sequence[Note] = tuple(self._notes.values())
        if not notes:
            return
        self._notes.clear()
        try:
            await note(self._database, notes)
        except GatewayError as error:  # the next call notes it anew
            log.warning("what became of credentials could not be written down: %s", error.message)
            for one in notes:
                self._noted.pop(one.id, None)
