"""Receipts that are owed: noted with the settlement of their call, so that none is ever forgotten."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from gateway.rounds import Rounds
from gateway.store import Insert, Write
from gateway_receipts.chain import pay
from gateway_receipts.tables import owed

if TYPE_CHECKING:
    from gateway.store import Database
    from gateway.types import Call, Outcome
    from gateway_receipts.keys import Signer

log = logging.getLogger("gateway.plugin.service.receipts")

OWE: Final = Insert(owed, "call", "tenant", "at")
_PAUSE: Final = 5.0
_GRACE: Final = 3.0
"""Seconds after which whoever settled the call has had time to make its receipt."""
_AT_ONCE: Final = 200


class Owing:
    """`gateway.billing.OnSettled`: a receipt is owed for each call that gets one, from the moment it is settled.

    Those are calls that succeeded, and others that are charged for: cut off, or cancelled.
    """

    def __init__(self, wants: Callable[[Call], bool]) -> None:
        self._wants = wants

    def on_settle(self, call: Call, outcome: Outcome) -> Sequence[Write]:
        """Note what is owed."""
        if (outcome.status == "success" or outcome.charge) and self._wants(call):
            return (Write(OWE, (call.id, call.principal.tenant, outcome.ended_at)),)
        return ()


class Payer(Rounds):
    """Makes the receipts that are still owed: their worker was killed, or nobody waits for them."""

    def __init__(self, database: Database, signer: Signer) -> None:
        super().__init__("receipts: owed", pause=_PAUSE, log=log)
        self._database = database
        self._signer = signer

    async def look(self, *, grace: float = _GRACE) -> int:
        """Make receipts of calls that ended `grace` seconds ago; return how many there were. Raises `Unavailable`."""
        late = owed.c.at <= time.time() - grace
        query = select(owed.c.call).where(late).order_by(owed.c.at, owed.c.call).limit(_AT_ONCE)
        async with self._database.connect() as connection:
            calls = (await connection.execute(query)).scalars().all()
        for call in calls:
            if self.stopping:
                break
            await pay(self._database, self._signer, call)
        return len(calls)

    async def go_round(self) -> None:
        """Make what is owed. Raises `Unavailable`."""
        while await self.look() == _AT_ONCE and not self.stopping:
            pass


async def count_owed(database: Database, tenant: str) -> int:
    """How many receipts a tenant is owed. Raises `Unavailable`."""
    query = select(func.count()).select_from(owed).where(owed.c.tenant == tenant)
    async with database.connect() as connection:
        return (await connection.execute(query)).scalar_one()
