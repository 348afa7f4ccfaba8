"""What subscriptions let through, and the usage that comes with them: held when a call opens, spent when it settles."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import BigInteger, bindparam, case, func, select, update

from gateway.doors import Prices
from gateway.errors import QuotaExceeded
from gateway.store import Add, Guard, Insert, Transition, Write
from gateway.types import Call, Outcome
from gateway_subscription.course import State, advanced
from gateway_subscription.plans import LARGEST, Plans
from gateway_subscription.rows import Row
from gateway_subscription.tables import holds, usage

_NEVER_AGAIN: Final = ((b"x-should-retry", b"false"),)


def _used_up() -> QuotaExceeded:
    return QuotaExceeded(
        "This call may use more than is left of what the subscription includes in this period.",
        code="subscription_used_up",
        headers=_NEVER_AGAIN,
    )


BEGIN: Final = Insert(usage, "subscription", "start", "spent", "reserved")
TAKE: Final = Guard(
    update(usage)
    .where(
        usage.c.subscription == bindparam("whose"),
        usage.c.start == bindparam("since"),
        usage.c.spent + usage.c.reserved <= bindparam("room"),
    )
    .values(reserved=usage.c.reserved + bindparam("more")),
    "whose",
    "since",
    "room",
    "more",
    refusal=_used_up,
)
"""Reserve an amount, if `room` (what is included less that amount) is not yet taken."""
HOLD: Final = Insert(holds, "call", "subscription", "start", "amount", "status")
END: Final = Transition(holds, "status", leaves="held")
COUNT: Final = Add(usage)
"""Values: subscription, start, what is added to spent and to reserved."""

_held = select(holds.c.amount).where(holds.c.call == bindparam("of_call"))
RELEASE: Final = Guard(
    update(usage)
    .where(
        usage.c.subscription
        == select(holds.c.subscription).where(holds.c.call == bindparam("call_one")).scalar_subquery(),
        usage.c.start == select(holds.c.start).where(holds.c.call == bindparam("call_two")).scalar_subquery(),
    )
    .values(reserved=usage.c.reserved - _held.scalar_subquery()),
    "of_call",
    "call_one",
    "call_two",
    refusal=_used_up,
)
"""Let go of what is known from its row only. Hangs on END, so there is such a row, and it never refuses."""

_each = usage.alias()
_mine = _each.c.subscription == usage.c.subscription
_then = select(func.max(_each.c.start)).where(_mine, _each.c.start <= bindparam("moment"))
_first = select(func.min(_each.c.start)).where(_mine)
COUNT_EARLIER: Final = Guard(
    update(usage)
    .where(
        usage.c.subscription == bindparam("whose"),
        usage.c.start
        == func.coalesce(_then.correlate(usage).scalar_subquery(), _first.correlate(usage).scalar_subquery()),
    )
    .values(
        spent=usage.c.spent
        + case((usage.c.start <= bindparam("same_moment"), bindparam("charge", type_=BigInteger)), else_=0)
    ),
    "whose",
    "moment",
    "same_moment",
    "charge",
    refusal=_used_up,
)
"""Add to what was spent in the period of a moment, which is not the present one; before the first one, nothing.

Every period has its row from when it begins, so it never refuses.
"""


class Held(NamedTuple):
    """The period in which a call counts, and what was reserved there for it."""

    subscription: str
    start: int
    amount: int | None
    """None where usage beyond what is included is let through, and so nothing was."""


class Holding:
    """`gateway.protocols.Billing`: lets through calls of tenants with a subscription, and counts what they use."""

    def __init__(self, plans: Plans, exempt: Collection[str], authenticators: Collection[str] = ()) -> None:
        """`authenticators` are those whose callers need a subscription; all do where there are none."""
        self._plans = plans
        self._exempt = frozenset(exempt)
        self._authenticators = frozenset(authenticators)
        self._held: dict[str, Held | None] = {}
        self.by_tenant: Mapping[str, Row] = {}
        self.prices: Prices

    def plan_of(self, tenant: str) -> str | None:
        """The plan whose prices hold for a tenant."""
        row = self.by_tenant.get(tenant)
        return row.plan if row is not None and row.served else None

    def on_open(self, call: Call) -> Sequence[Write]:
        """Reserve the estimate, where usage beyond what is included is refused.

        Raises `QuotaExceeded` for a tenant without a subscription.
        """
        if not self._asks(call):
            return ()
        tenant = call.principal.tenant
        row = self.by_tenant.get(tenant)
        state = None if row is None else self._at(row, call.received_at)
        if (state is None or not state.served) and tenant not in self._exempt:
            raise QuotaExceeded(
                "This needs a subscription, and there is none that is valid.",
                code="subscription_required",
                headers=_NEVER_AGAIN,
            )
        if row is None or state is None:
            self._held[call.id] = None
            return ()
        limit = self._limit(state)
        if limit is None:
            self._held[call.id] = Held(row.id, state.period_start, None)
            return ()
        amount = min(self.prices.estimate(call) or 0, LARGEST)
        held = self._held[call.id] = Held(row.id, state.period_start, amount)
        return (
            Write(BEGIN, (held.subscription, held.start, 0, 0)),
            Write(TAKE, (held.subscription, held.start, limit - amount, amount)),
            Write(HOLD, (call.id, *held, "held")),
        )

    def on_settle(self, call: Call, outcome: Outcome) -> Sequence[Write]:
        """Count the charge, whatever was reserved, and let go of the reservation."""
        charge = max(0, min(outcome.charge or 0, LARGEST))
        opened_here = call.id in self._held
        held = self._held.pop(call.id, None)
        start = 0 if held is None else self._counts_in(held, call)
        if held is not None and held.amount is not None:
            ends = [Write(COUNT, (held.subscription, start, charge, -held.amount))]
            if start != held.start:
                ends = [
                    Write(COUNT, (held.subscription, held.start, 0, -held.amount)),
                    Write(COUNT, (held.subscription, start, charge, 0)),
                ]
            return (Write(END, ("settled", call.id), tuple(ends)),)
        writes: list[Write] = []
        if not opened_here:
            release = Write(RELEASE, (call.id, call.id, call.id))
            writes.append(Write(END, ("settled", call.id), (release,)))
            writes += self._late(call, charge)
        elif charge and held is not None:
            writes.append(Write(COUNT, (held.subscription, start, charge, 0)))
        return writes

    def _counts_in(self, held: Held, call: Call) -> int:
        """When the period began in which a call counts: a later one than it was held in, if that was told of meanwhile."""
        row = self.by_tenant.get(call.principal.tenant)
        if row is None or row.id != held.subscription:
            return held.start
        start = self._at(row, call.received_at).period_start
        return start if held.start < start <= call.received_at else held.start

    def _late(self, call: Call, charge: int) -> Sequence[Write]:
        """Count a call that another worker has opened where it came in: its period may be over by now."""
        row = self.by_tenant.get(call.principal.tenant)
        if not charge or row is None or not self._asks(call):
            return ()
        start, moment = self._at(row, call.received_at).period_start, int(call.received_at)
        if start <= moment:
            return (Write(COUNT, (row.id, start, charge, 0)),)
        return (Write(COUNT_EARLIER, (row.id, moment, moment, charge)),)

    def _at(self, row: Row, moment: float) -> State:
        """How a subscription stands at a moment: a period begins on time, also before that is written down."""
        return advanced(row, self._plans, int(moment))[0] if row.served and row.due <= moment else row

    def _limit(self, state: State) -> int | None:
        """What the calls of a period may be charged together, in 10⁻⁹ credit; None where more is let through."""
        return state.included if state.served and state.overage == "refuse" else None

    def _asks(self, call: Call) -> bool:
        return not self._authenticators or call.principal.authenticator in self._authenticators

    def finished(self, call: Call, outcome: Outcome) -> None:
        """Forget the hold of a call that was refused, and so is never settled."""
        del outcome
        self._held.pop(call.id, None)
