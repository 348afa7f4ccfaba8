"""What happens to credit with each call: held when it opens, captured and released when it settles.

All of it are writes that ride in the ledger's own transactions, so a call and its money are never apart.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import bindparam, select, update

from gateway.doors import Prices
from gateway.errors import QuotaExceeded
from gateway.store import Add, Delete, Guard, Insert, Transition, Write
from gateway.types import Call, Outcome
from gateway_credits.account import LARGEST, REVENUE, Account, Per
from gateway_credits.tables import balances, holds, journal


class NotEnough(QuotaExceeded):
    """The account has too little for a call; who asks is told by `gateway_credits.gate`."""


def _not_enough() -> NotEnough:
    return NotEnough("There is not enough credit for this call.", code="insufficient_credit")


_own = (balances.c.tenant == bindparam("whose_tenant"), balances.c.owner == bindparam("whose_owner"))

TAKE: Final = Guard(
    update(balances)
    .where(*_own, balances.c.balance - balances.c.held - bindparam("floor") >= bindparam("amount"))
    .values(held=balances.c.held + bindparam("amount")),
    "whose_tenant",
    "whose_owner",
    "amount",
    "floor",
    refusal=_not_enough,
    adds="amount",
)
"""Hold credit, if there is enough above the floor."""

HOLD: Final = Insert(holds, "call", "tenant", "owner", "amount", "expires_at", "status")
RELEASE: Final = Delete(holds)
END: Final = Transition(holds, "status", leaves="held")

_amount = select(holds.c.amount).where(holds.c.call == bindparam("of_call")).scalar_subquery()
UNHOLD: Final = Guard(
    update(balances).where(*_own).values(held=balances.c.held - _amount),
    "whose_tenant",
    "whose_owner",
    "of_call",
    refusal=_not_enough,
)
"""Let go of a hold whose amount is in its row only. Hangs on END, so there is such a row, and a balance it was taken from."""

CAPTURE: Final = Insert(journal, "tenant", "owner", "at", "id", "kind", "amount", "other_owner")
CHANGE: Final = Add(balances)
"""Values: the account, then what is added to balance, held and undrawn."""


class Holding:
    """`gateway.protocols.Billing`: holds what a call may cost, and captures what it did cost.

    It remembers the holds of this worker's calls, so that their release needs no look at the row; those of dead workers
    are released by their rows.
    """

    def __init__(
        self,
        *,
        per: Per,
        floor: int,
        largest_hold: int | None,
        unpriced_hold: int,
        lease: float,
        free: Collection[str] = (),
    ) -> None:
        """`free` are the authenticators whose callers pay nothing here."""
        self._free = frozenset(free)
        self._of_user = per == "user"
        self._floor = floor
        self._largest = LARGEST if largest_hold is None else largest_hold
        self._unpriced = unpriced_hold
        self._lease = lease
        self._held: dict[str, int] = {}
        self.touched: set[tuple[str, str]] = set()
        """Accounts that something was taken from since the keeper looked last, as plain tuples: they cost less to make."""
        self.prices: Prices

    def account_of(self, call: Call) -> Account:
        """Who pays for a call."""
        return Account(*self._pays(call))

    def _pays(self, call: Call) -> tuple[str, str]:
        principal = call.principal
        return principal.tenant, (principal.user or "") if self._of_user else ""

    def asked(self, call: Call) -> int:
        """What was, or would be, held for a call that is under way."""
        held = self._held.get(call.id)
        return self._estimate(call) if held is None else held

    def on_open(self, call: Call) -> Sequence[Write]:
        """Hold the estimate, if the account has as much; a call that costs nothing needs nothing."""
        if call.principal.authenticator in self._free:
            return ()
        amount = self._held[call.id] = self._estimate(call)
        if not amount:
            return ()
        tenant, owner = self._pays(call)
        until = call.received_at + self._lease
        return (
            Write(TAKE, (tenant, owner, amount, self._floor)),
            Write(HOLD, (call.id, tenant, owner, amount, until, "held")),
        )

    def on_settle(self, call: Call, outcome: Outcome) -> Sequence[Write]:
        """Capture the charge, whatever was held, and release the hold."""
        if call.principal.authenticator in self._free:
            return ()
        account = tenant, owner = self._pays(call)
        held = self._held.pop(call.id, None)
        writes: list[Write] = []
        if held is None:
            release = (Write(UNHOLD, (tenant, owner, call.id)), Write(RELEASE, (call.id,)))
            writes.append(Write(END, ("settled", call.id), release))
        elif held:
            writes.append(Write(RELEASE, (call.id,)))  # it is there until its call is settled
        charge = max(0, min(outcome.charge or 0, LARGEST))
        if charge:
            self.touched.add(account)
            writes.append(
                Write(CAPTURE, (tenant, owner, outcome.ended_at, call.id, "capture", -charge, REVENUE))
            )
        if charge or held:
            writes.append(Write(CHANGE, (tenant, owner, -charge, -(held or 0), charge)))
        return writes

    def finished(self, call: Call, outcome: Outcome) -> None:
        """Forget the hold of a call that was refused, and so is never settled."""
        del outcome
        self._held.pop(call.id, None)

    def _estimate(self, call: Call) -> int:
        amount = self.prices.estimate(call)
        if amount is None:
            amount = self._unpriced
        return min(amount, self._largest)
