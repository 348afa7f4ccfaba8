"""The course of a subscription that is paid elsewhere: it is what that place says. Nothing here reads a clock or a database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from gateway_subscription.course import SERVED, Charge, State, advanced, changed, charge_of, ended

if TYPE_CHECKING:
    from gateway.doors import Standing
    from gateway_subscription.course import Step
    from gateway_subscription.plans import Plans

_DAY: Final = 86_400


def is_older(before: State, told_at: float | None, standing: Standing) -> bool:
    """Whether what is told changes nothing: it is older, or the end of another than the one that is served."""
    if told_at is not None and standing.told_at < told_at:
        return True
    return before.served and before.reference != standing.reference and standing.status not in SERVED


def taken_over(before: State | None, standing: Standing, plans: Plans) -> list[Charge]:
    """What a subscription that nobody led costs until it is paid elsewhere: what is left of its period is given back."""
    if before is None or before.reference is not None:
        return []
    last, costs = advanced(before, plans, standing.period_start)
    if last.served:
        costs += ended(last, plans, max(last.period_start, standing.period_start))[1]
    return costs


def followed(before: State | None, standing: Standing, plans: Plans) -> Step:
    """What a subscription becomes, and the usage that comes with it: its price is asked for where it is paid.

    Within a period, more or less of a plan or of seats changes what is included by the rest of the period.
    """
    plan = plans[standing.plan]
    costs: list[Charge] = []
    new = before is None or (before.reference, before.period_start, before.period_end) != (
        standing.reference,
        standing.period_start,
        standing.period_end,
    )
    if before is None or new or plans[before.plan].period != plan.period:
        included, overage = plan.included_of(standing.seats), plan.beyond
        whole = given = included
    else:
        included, overage, whole, given = before.included, before.overage, before.whole, before.given
        if (before.plan, before.seats) != (standing.plan, standing.seats):
            at = min(max(int(standing.told_at), before.period_start), before.period_end)
            after, costs = changed(before, standing.plan, standing.seats, plans, at)
            included, overage, whole, given = after.included, after.overage, after.whole, after.given
            costs = [replace(cost, amount=0) for cost in costs if cost.kind == "part"]
    grace = None
    if standing.status == "past_due":
        known = None if before is None or before.reference != standing.reference else before.grace_until
        grace = known or int(standing.told_at) + plan.grace_days * _DAY
    state = State(
        plan=standing.plan,
        seats=standing.seats,
        status=standing.status,
        anchor=standing.period_start if before is None or new else before.anchor,
        period_start=standing.period_start,
        period_end=standing.period_end,
        included=included,
        overage=overage,
        price=0,
        whole=whole,
        given=given,
        cancel_at_end=standing.cancel_at_end,
        grace_until=grace,
        reference=standing.reference,
    )
    kind = "trial" if standing.status == "trialing" else "period"
    start, end, seats = standing.period_start, standing.period_end, standing.seats
    first = charge_of(kind, standing.plan, plan, seats, start, end, included=plan.included_of(seats))
    return state, costs or [first]
