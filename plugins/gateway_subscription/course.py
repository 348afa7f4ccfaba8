"""The course of a subscription: how it begins, goes on, changes and ends. Nothing here reads a clock or a database."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from gateway_subscription.calendar import boundary, rest
from gateway_subscription.plans import Overage, Plan, Plans

Status: TypeAlias = Literal["trialing", "active", "past_due", "cancelled", "expired"]

ChargeKind: TypeAlias = Literal["trial", "period", "part", "unused"]

SERVED: Final = frozenset({"trialing", "active", "past_due"})
"""In which calls are let through."""
_DAY: Final = 86_400
_SILENT_DAYS: Final = 3


class State(Struct, frozen=True, kw_only=True):
    """Where a subscription stands. Times are Unix seconds."""

    plan: str
    seats: int
    status: Status
    anchor: int
    number: int = 0
    period_start: int
    period_end: int
    included: int | None
    """Usage of this period in 10⁻⁹ credit; None is not limited."""
    overage: Overage | None
    """What happens beyond that, as the plan had it when the period began; None until `keep_terms` has run."""
    price: int | None
    """What the whole of this period costs so, in 10⁻⁹ of the currency; None until then, too."""
    whole: int | None = None
    """What the whole of this period would include so, in 10⁻⁹ credit; None where that is not limited, or was not kept."""
    given: int | None = None
    """The most that was included in this period until now: what was given once is not given again. None as `whole`."""
    next_plan: str | None = None
    next_seats: int | None = None
    cancel_at_end: bool = False
    grace_until: int | None = None
    reference: str | None = None
    """Of who takes the money for it, and says how it goes on; None where nobody does."""

    @property
    def served(self) -> bool:
        """Whether calls are let through."""
        return self.status in SERVED

    @property
    def due(self) -> int:
        """When `advanced` has something to do, as long as calls are let through."""
        return self.period_end if self.grace_until is None else min(self.period_end, self.grace_until)


class Charge(Struct, frozen=True, kw_only=True):
    """What a part of a period costs, in 10⁻⁹ of the currency; negative for what is given back."""

    kind: ChargeKind
    plan: str
    name: str | None
    """Of the plan, for people, as it was then; None until `keep_terms` has run."""
    seats: int
    start: int
    end: int
    amount: int
    currency: str
    included: int
    """Usage in 10⁻⁹ credit that comes with it."""
    overage: Overage | None
    """What happens beyond that, as the plan had it then; None until `keep_terms` has run."""


Step: TypeAlias = tuple[State, list[Charge]]


def begun(plan_id: str, plan: Plan, seats: int, at: int, *, trial: bool) -> Step:
    """Begin a subscription at a moment, with a trial if there is to be one and the plan has one."""
    if not (trial and plan.trial_days):
        return _first_period(plan_id, plan, seats, at)
    included = plan.included_of(seats)
    end = at + plan.trial_days * _DAY
    state = State(
        plan=plan_id,
        seats=seats,
        status="trialing",
        anchor=at,
        period_start=at,
        period_end=end,
        included=included,
        overage=plan.beyond,
        price=0,
        whole=included,
        given=included,
    )
    return state, [charge_of("trial", plan_id, plan, seats, at, end, included=included)]


def charge_of(
    kind: ChargeKind,
    plan_id: str,
    plan: Plan,
    seats: int,
    start: int,
    end: int,
    *,
    amount: int = 0,
    included: int | None = 0,
) -> Charge:
    """What a part of a period costs and brings, with what of the plan's terms must be known later."""
    return Charge(
        kind=kind,
        plan=plan_id,
        name=plan.name,
        seats=seats,
        start=start,
        end=end,
        amount=amount,
        currency=plan.currency,
        included=included or 0,
        overage=plan.beyond,
    )


def advanced(state: State, plans: Plans, at: int) -> Step:
    """Do everything that is due until a moment: renew, change as planned, cancel, expire."""
    if state.reference is not None:
        return lapsed(state, plans, at), []
    charges: list[Charge] = []
    while state.served and state.due <= at:
        state, more = _step(state, plans)
        charges += more
    return state, charges


def lapsed(state: State, plans: Plans, at: int) -> State:
    """End a subscription that others lead, when they are silent for three days longer than a payment may be late."""
    late = state.period_end + plans[state.plan].grace_days * _DAY + _SILENT_DAYS * _DAY
    ends = late if state.grace_until is None else state.grace_until
    return replace(state, status="expired", grace_until=None) if state.served and ends <= at else state


def may_change_at_once(state: State, plan_id: str, seats: int, plans: Plans) -> bool:
    """Whether a change leads to no less: what was given for a period can be used up by then, so less begins later."""
    old, new = plans[state.plan], plans[plan_id]
    if state.status == "trialing":
        return True
    if old.currency != new.currency or (old.period, new.period) == ("year", "month"):
        return False
    before, after = _whole(state, old), new.included_of(seats)
    enough = after is None or (before is not None and after >= before)
    return enough and new.price_of(seats) >= _price(state, old)


def changed(state: State, plan_id: str, seats: int, plans: Plans, at: int) -> Step:
    """Change plan or seats at once: the rest of the period is given back, and charged for anew.

    Where the new plan has another period, it begins at once; a trial goes on, with what the new plan includes.
    """
    old, new = plans[state.plan], plans[plan_id]
    start, end = state.period_start, state.period_end
    planned = replace(state, next_plan=None, next_seats=None, cancel_at_end=False)
    if state.status == "trialing":
        included = new.included_of(seats)
        gained, given = _gained(state, included)
        part = charge_of("part", plan_id, new, seats, at, end, included=gained)
        terms = {"overage": new.beyond, "whole": included, "given": given}
        return replace(planned, plan=plan_id, seats=seats, included=included, **terms), [part]
    given_back = _unused(state, old, at)
    if old.period != new.period:
        begun_anew, charges = _first_period(plan_id, new, seats, at)
        return replace(begun_anew, status=state.status, grace_until=state.grace_until), [
            *given_back,
            *charges,
        ]
    before, after = _whole(state, old), new.included_of(seats)
    more = rest(after or 0, start, end, at) - rest(before or 0, start, end, at)
    amount = rest(new.price_of(seats), start, end, at)
    if after is None:
        included = None
    elif state.included is None:
        included = rest(after, start, end, at)
    else:
        included = max(0, state.included + more)
    gained, given = _gained(state, included)
    part = charge_of("part", plan_id, new, seats, at, end, amount=amount, included=gained)
    terms = {"overage": new.beyond, "price": new.price_of(seats), "whole": after, "given": given}
    return replace(planned, plan=plan_id, seats=seats, included=included, **terms), [*given_back, part]


def ended(state: State, plans: Plans, at: int) -> Step:
    """Cancel at once, and give the rest of the period back."""
    given_back = [] if state.status == "trialing" else _unused(state, plans[state.plan], at)
    return replace(state, status="cancelled", grace_until=None, cancel_at_end=False), given_back


def _step(state: State, plans: Plans) -> Step:
    if state.grace_until is not None and state.grace_until <= state.period_end:
        return replace(state, status="expired"), []
    if state.cancel_at_end:
        return replace(state, status="cancelled", grace_until=None), []
    plan_id, seats = state.next_plan or state.plan, state.next_seats or state.seats
    new = plans[plan_id]
    if state.status == "trialing" or plans[state.plan].period != new.period:
        after, charges = _first_period(plan_id, new, seats, state.period_end)
    else:
        after, charges = _period(plan_id, new, seats, state.anchor, state.number + 1)
    if state.status == "past_due":
        after = replace(after, status="past_due", grace_until=state.grace_until)
    return after, charges


def _first_period(plan_id: str, plan: Plan, seats: int, at: int) -> Step:
    return _period(plan_id, plan, seats, at, 0)


def _period(plan_id: str, plan: Plan, seats: int, anchor: int, number: int) -> Step:
    start, end = boundary(anchor, plan.period, number), boundary(anchor, plan.period, number + 1)
    included, amount = plan.included_of(seats), plan.price_of(seats)
    state = State(
        plan=plan_id,
        seats=seats,
        status="active",
        anchor=anchor,
        number=number,
        period_start=start,
        period_end=end,
        included=included,
        overage=plan.beyond,
        price=amount,
        whole=included,
        given=included,
    )
    return state, [charge_of("period", plan_id, plan, seats, start, end, amount=amount, included=included)]


def _price(state: State, plan: Plan) -> int:
    return plan.price_of(state.seats) if state.price is None else state.price


def _gained(state: State, included: int | None) -> tuple[int, int]:
    """What a change gives beyond the most that was ever included in the period, and what that is then."""
    before = max(state.given or 0, state.included or 0)
    after = max(before, included or 0)
    return after - before, after


def _whole(state: State, plan: Plan) -> int | None:
    """What the period would include by the terms that hold for it; None where that is not limited."""
    if state.included is None:
        return None
    return plan.included_of(state.seats) if state.whole is None else state.whole


def _unused(state: State, plan: Plan, at: int) -> list[Charge]:
    amount = rest(_price(state, plan), state.period_start, state.period_end, at)
    if not amount:
        return []
    return [charge_of("unused", state.plan, plan, state.seats, at, state.period_end, amount=-amount)]
