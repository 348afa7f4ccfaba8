"""The ledger: every call is written down before its provider hears of it, and settled exactly once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from gateway.billing import OnSettled
from gateway.errors import ConfigError, Unavailable
from gateway.ledger.outbox import Outbox
from gateway.ledger.recovery import Recovery
from gateway.ledger.rows import SEND, intent, record, settlement
from gateway.ledger.worker import Worker
from gateway.protocols import Billing, OnFinished, Sink
from gateway.store import Database, Unit, Write
from gateway.store.journal import Journal
from gateway.store.migrate import needs_upgrade, upgrade
from gateway.types import Call, Outcome

log = logging.getLogger("gateway.ledger")


class Ledger:
    """Opens and settles calls. Belongs to the event loop that started it.

    With durability "intent" a call is durable before `open` returns; with "settle" nothing is written before a call
    ends, and the death of the process forgets the calls it was running.

    Raises `ConfigError` when billing is to work without intents: a hold that nobody remembers is never released.
    """

    def __init__(
        self,
        database: Database,
        *,
        durability: Literal["intent", "settle"] = "intent",
        billing: Sequence[Billing | OnSettled] = (),
        sinks: Sequence[Sink] = (),
    ) -> None:
        self._holding = tuple(each for each in billing if isinstance(each, Billing))
        if self._holding and durability != "intent":
            raise ConfigError(['gateway.durability: billing needs "intent"'])
        self._database = database
        self._intent = durability == "intent"
        self._billing = tuple(billing)
        self._sinks = tuple(sinks)
        self._journal = Journal(database, committed=self._committed)
        self._worker = ""
        self._send_to = tuple(sink.name for sink in sinks)
        self._follows = bool(self._send_to or self._billing)
        self._settlement = self._settle_opened if self._intent else self._record

    @property
    def healthy(self) -> bool:
        """Whether calls can be opened: it was started, and the database takes writes."""
        return self._journal.accepts and not self._journal.away

    async def start(self, *, migrations: Sequence[Path] = ()) -> None:
        """Bring the tables up to date, register this worker, settle what dead ones left behind, accept calls.

        `migrations` are the plugins' folders of revisions. Raises `Unavailable` when the database does not take writes.
        """
        if await needs_upgrade(self._database, migrations):
            await upgrade(self._database, migrations)
        worker = Worker.this_process()
        self._worker = worker.id
        self._recovery = Recovery(self._database, self._journal, worker, self._settle_opened)
        self._outbox = Outbox(self._database, worker.id, self._sinks)
        await self._journal.start()
        try:
            await self._recovery.start()
            self._outbox.start()
        except BaseException:
            await self._journal.stop(0)
            raise

    async def stop(self, timeout: float = 10.0) -> int:  # noqa: ASYNC109 - what is left at its end is counted, not raised
        """Write and deliver what is left, for at most `timeout` seconds; return how many settlements were lost."""
        if not self._journal.accepts:
            return 0
        deadline = time.monotonic() + timeout
        await self._recovery.stop()
        lost = await self._journal.stop(timeout)
        await self._outbox.stop(max(0.0, deadline - time.monotonic()))
        await self._recovery.leave()
        return lost

    @property
    def worker(self) -> str:
        """The id of this worker's lease; empty before the start."""
        return self._worker

    def write(self, unit: Unit) -> asyncio.Future[None]:
        """Write rows together with the ledger's own; as `Journal.submit` does."""
        return self._journal.submit(unit)

    def _committed(self) -> None:
        self._outbox.wake()

    async def open(self, call: Call) -> None:
        """Write the intent of a call down, together with what billing holds for it.

        Raises `Unavailable` when that cannot be made durable, and the refusal of a billing plugin. In both cases the
        call must not be sent, and is not to be settled.
        """
        if not self._intent:
            return
        then = self._holds(call) if self._holding else ()
        durable = self._journal.submit((intent(call, self._worker, then),))
        try:
            await durable
        except asyncio.CancelledError:
            self._abandon(call, "cancelled", 499)
            raise
        except Unavailable:
            self._abandon(call, "failed", 503)
            raise

    async def open_abroad(self, calls: Sequence[Call]) -> None:
        """Open calls that a provider will carry out by itself, all of them or none: any process may `close` them.

        Until they are handed over (`gateway.store.batch_calls`), they are this worker's, and die with it. Raises as `open`
        does.
        """
        if not self._intent:
            return
        try:
            await self._journal.submit(tuple(intent(call, self._worker, self._holds(call)) for call in calls))
        except (asyncio.CancelledError, Unavailable):
            for call in calls:
                self._abandon(call, "failed", 503)
            raise
        finally:
            for billing in self._billing:
                if isinstance(billing, OnFinished):
                    for call in calls:
                        # Another process may settle it, so nothing is to be kept.
                        billing.finished(call, Outcome())

    def _holds(self, call: Call) -> tuple[Write, ...]:
        return tuple(write for billing in self._holding for write in billing.on_open(call))

    def _abandon(self, call: Call, status: Literal["cancelled", "failed"], http_status: int) -> None:
        """Settle an intent of which nobody knows whether it was written; if it was not, nothing happens."""
        if self._journal.accepts:
            message = "The call was given up before it was durable."
            outcome = Outcome(status=status, http_status=http_status, ended_at=time.time())
            outcome.error_code, outcome.error_message = "not_opened", message
            self.settle(call, outcome)

    def settle(self, call: Call, outcome: Outcome) -> None:
        """Write the end of a call down. Never waits and never raises; a second settlement changes nothing."""
        try:
            self._journal.submit_nowait((self._settlement(call, outcome),))
        except Exception:
            log.exception("%s: cannot be settled: %r", call.id, outcome)

    def close(self, call: Call, outcome: Outcome) -> asyncio.Future[None]:
        """Write the end of a call down that a provider has carried out by itself; a second time changes nothing.

        Returns what `Journal.submit` does. Raises `Unavailable`.
        """
        return self._journal.submit((self._settlement(call, outcome),))

    @property
    def opens(self) -> bool:
        """Whether calls are written down before they are made."""
        return self._intent

    def _settle_opened(self, call: Call, outcome: Outcome) -> Write:
        return settlement(call, outcome, self._consequences(call, outcome) if self._follows else ())

    def _record(self, call: Call, outcome: Outcome) -> Write:
        return record(call, self._worker, outcome, self._consequences(call, outcome) if self._follows else ())

    def _consequences(self, call: Call, outcome: Outcome) -> tuple[Write, ...]:
        """What happens with a settlement, and only if it is the first."""
        then = [Write(SEND, (sink, call.id)) for sink in self._send_to]
        for billing in self._billing:
            then += self._billed(billing, call, outcome)
        return tuple(then)

    def _billed(self, billing: Billing | OnSettled, call: Call, outcome: Outcome) -> Sequence[Any]:
        try:
            return billing.on_settle(call, outcome)
        except Exception:
            log.exception("%s: %s.on_settle failed", call.id, type(billing).__name__)
            return ()
