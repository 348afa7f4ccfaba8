"""What of a plan's terms holds for a period, whatever becomes of the plan: kept with what was charged for the period."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, literal, select, update

from gateway_subscription.tables import charges, subscriptions

if TYPE_CHECKING:
    from gateway.store import Database
    from gateway_subscription.course import Charge
    from gateway_subscription.plans import Plans


async def keep_terms(database: Database, plans: Plans) -> None:
    """Write down today's terms for periods that began before terms were kept. Raises `Unavailable`."""
    lacking = charges.c.overage.is_(None)
    async with database.connect() as connection:
        found = {*(await connection.execute(select(charges.c.plan).distinct().where(lacking))).scalars()}
        found |= {
            *(
                await connection.execute(
                    select(subscriptions.c.plan).distinct().where(subscriptions.c.overage.is_(None))
                )
            ).scalars()
        }
    for name in sorted(found & plans.by_id.keys()):
        plan = plans[name]
        async with database.begin() as connection:
            await connection.execute(
                update(charges)
                .where(charges.c.plan == name, lacking)
                .values(name=plan.name, overage=plan.beyond)
            )
            await connection.execute(
                update(subscriptions)
                .where(subscriptions.c.plan == name, subscriptions.c.overage.is_(None))
                .values(
                    overage=plan.beyond, price=literal(plan.price_of(1), BigInteger) * subscriptions.c.seats
                )
            )


def name_of(charge: Charge, plans: Plans) -> str:
    """The name of its plan, for people; today's where none was kept."""
    if charge.name is not None:
        return charge.name
    known = plans.by_id.get(charge.plan)
    return charge.plan if known is None else known.name


def asks_beyond(charge: Charge, plans: Plans) -> bool:
    """Whether usage beyond what is included is asked for; by today's plan where no terms were kept."""
    if charge.overage is not None:
        return charge.overage == "charge"
    known = plans.by_id.get(charge.plan)
    return known is None or known.beyond == "charge"
