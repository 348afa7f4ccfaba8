"""Prices the calls of a period again, by the book and the selling rules that hold for their time today."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from gateway.ledger.explain import usage_of
from gateway.ledger.prices import Pricing
from gateway.store.audit import Actor
from gateway.store.price_adjustments import Correction, Which, adjust, settled_calls, sums
from gateway.types import Outcome

if TYPE_CHECKING:
    from gateway.billing import Adjusts
    from gateway.store import Database


class Total(Struct, kw_only=True):
    """Calls that cost something else now, and how much that is; money as in the ledger."""

    calls: int = 0
    cost: int = 0
    charge: int = 0


class Repricing(Struct, kw_only=True):
    """What pricing again has found."""

    looked_at: int = 0
    without_price: int = 0
    """No price is known for them today, so they stay as they are."""
    by_model: dict[tuple[str, str], Total]
    """By tenant, and the name of the model as clients wrote it."""

    def note(self, row: Any, cost: int, charge: int) -> None:
        """Count a call that costs something else."""
        total = self.by_model.setdefault((row.tenant, row.model), Total())
        total.calls += 1
        total.cost += cost
        total.charge += charge


async def reprice(
    database: Database,
    pricing: Pricing,
    catalogues: Mapping[str, str],
    which: Which,
    *,
    reason: str,
    apply: Actor | None,
    books: Sequence[Adjusts] = (),
) -> Repricing:
    """Compare what calls were charged with what they would be today.

    `catalogues` names the catalogue of each provider. With an actor in `apply` the differences are written as
    adjustments, which the `books` follow; doing it again then finds nothing more to do.
    """
    found, last = Repricing(by_model={}), ""
    while page := await settled_calls(database, which, after=last):
        last = page[-1].id
        found.looked_at += len(page)
        wanted: list[Correction] = []
        for row in page:
            correction = _correction(row, pricing, catalogues.get(row.provider or "", row.provider or ""))
            if correction is None:
                found.without_price += 1
            else:
                wanted.append(correction)
        before = await sums(database, [one.row.id for one in wanted])
        differing = [one for one in wanted if (one.cost, one.charge) != before.get(one.row.id, (0, 0, 0))[1:]]
        if apply is not None and differing:
            differing = await adjust(database, differing, reason=reason, actor=apply, books=books)
        for one in differing:
            _, cost, charge = before.get(one.row.id, (0, 0, 0))
            found.note(one.row, one.cost - cost, one.charge - charge)
    return found


def _correction(row: Any, pricing: Pricing, catalogue: str) -> Correction | None:
    """The whole difference of a call to its row; None where no price is known, or no usage."""
    outcome = Outcome(usage=usage_of(row), upstream_model=row.upstream_model)
    plan = pricing.selling.plan_named(row.selling)
    pricing.apply(outcome, catalogue, row.received_at, row.tenant, plan=plan)
    if outcome.charge is None:
        return None
    return Correction(
        row=row,
        cost=0 if outcome.cost is None else outcome.cost - (row.cost or 0),
        charge=outcome.charge - (row.charge or 0),
        price_version=outcome.price_version,
        selling=outcome.selling,
    )
