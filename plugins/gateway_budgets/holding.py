"""What happens to budgets with each call: reserved when it opens, spent when it settles.

All of it are writes that ride in the ledger's own transactions, so a call and its budgets are never apart.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final, NamedTuple, get_args

from sqlalchemy import bindparam, select, tuple_, update

from gateway.doors import Prices
from gateway.errors import QuotaExceeded
from gateway.store import Add, Guard, Insert, Transition, Write
from gateway.types import Call, Outcome, Target
from gateway_budgets.amount import LARGEST
from gateway_budgets.book import Book, Entry
from gateway_budgets.period import Span
from gateway_budgets.rows import Scope
from gateway_budgets.tables import holds, lines, spending

_SPANS: Final = {"day": "today", "week": "this week", "month": "this month", "total": "all time"}
_NEVER_AGAIN: Final = ((b"x-should-retry", b"false"),)


def _exceeded(message: str) -> QuotaExceeded:
    return QuotaExceeded(message, code="budget_exceeded", headers=_NEVER_AGAIN)


def _refusal(scope: Scope, span: Span) -> Callable[[], QuotaExceeded]:
    message = (
        f"This call may cost more than is left of the budget of this {scope} for {_SPANS[span]}."
        " Ask for a shorter answer, or for a larger budget."
    )
    return lambda: _exceeded(message)


def _reserve(scope: Scope, span: Span) -> Guard:
    return Guard(
        update(spending)
        .where(
            spending.c.budget == bindparam("of_budget"),
            spending.c.start == bindparam("of_start"),
            spending.c.spent + spending.c.reserved + bindparam("amount") <= bindparam("limit"),
        )
        .values(reserved=spending.c.reserved + bindparam("amount")),
        "of_budget",
        "of_start",
        "limit",
        "amount",
        refusal=_refusal(scope, span),
        adds="amount",
    )


RESERVE: Final = {
    (scope, span): _reserve(scope, span) for scope in get_args(Scope) for span in get_args(Span)
}
"""Reserve an amount, if as much of the budget, `limit`, is left; each with the words of its refusal."""

BEGIN: Final = Insert(spending, "budget", "start", "spent", "reserved")
COUNT: Final = Add(spending)
"""Values: budget, start, what is added to spent and to reserved."""
HOLD: Final = Insert(holds, "call", "status")
LINE: Final = Insert(lines, "call", "budget", "start", "amount")
END: Final = Transition(holds, "status", leaves="held")

_of_call = lines.c.call == bindparam("of_call")
_reserved = (
    select(lines.c.amount)
    .where(lines.c.call == bindparam("of_the_call"), lines.c.budget == spending.c.budget)
    .correlate(spending)
    .scalar_subquery()
)
RELEASE: Final = Guard(
    update(spending)
    .where(
        tuple_(spending.c.budget, spending.c.start).in_(select(lines.c.budget, lines.c.start).where(_of_call))
    )
    .values(reserved=spending.c.reserved - _reserved),
    "of_call",
    "of_the_call",
    refusal=lambda: _exceeded("The call has no reservation."),
)
"""Let go of what is known from the lines only. Hangs on END, so there are such lines, and it never refuses."""


class Line(NamedTuple):
    """What was reserved of a budget for a call."""

    budget: str
    start: int
    amount: int


class Held(NamedTuple):
    """A line, and what it is of."""

    line: Line
    entry: Entry


class Holding:
    """`gateway.protocols.Billing`: reserves what a call may cost in every hard budget, and counts what it did cost.

    It remembers the lines of this worker's calls, so that their release needs no look at the rows; those of dead workers
    are released by their rows.
    """

    def __init__(self, book: Book) -> None:
        self._book = book
        self._held: dict[str, tuple[Held, ...]] = {}
        self.touched: set[tuple[str, int]] = set()
        """Budgets and periods in which something was spent since the watch looked last."""
        self.prices: Prices
        self.targets: Callable[[Call], Sequence[Target]]

    def on_open(self, call: Call) -> Sequence[Write]:
        """Reserve the estimate. Raises `QuotaExceeded` for a key whose budget is in a currency that is not counted."""
        hard = [entry for entry in self._book.of(call.principal, self._names(call)) if entry.kind == "hard"]
        if not hard:
            self._held[call.id] = ()
            return ()
        amount = min(self.prices.estimate(call) or 0, LARGEST)
        writes: list[Write] = []
        held: list[Held] = []
        for entry in hard:
            if entry.amount is None:
                raise _exceeded(
                    f"The budget of this API key is in {entry.currency}, which this gateway does not count."
                )
            line = Line(entry.id, entry.period(call.received_at).start, amount)
            writes += (
                Write(BEGIN, (line.budget, line.start, 0, 0)),
                Write(RESERVE[entry.scope, entry.span], (line.budget, line.start, entry.amount, amount)),
                Write(LINE, (call.id, *line)),
            )
            held.append(Held(line, entry))
        self._held[call.id] = tuple(held)
        return (*writes, Write(HOLD, (call.id, "held")))

    def on_settle(self, call: Call, outcome: Outcome) -> Sequence[Write]:
        """Count the charge, whatever was reserved, and let go of the reservation.

        It was reserved for each model that might have answered; the charge counts for the one that did.
        """
        charge = max(0, min(outcome.charge or 0, LARGEST))
        names = (call.model, f"{outcome.provider}/{outcome.upstream_model}")
        held = self._held.pop(call.id, None)
        writes: list[Write] = []
        if held is None:
            writes.append(Write(END, ("settled", call.id), (Write(RELEASE, (call.id, call.id)),)))
        elif held:
            release = tuple(
                Write(COUNT, (line.budget, line.start, charge if entry.is_of(names) else 0, -line.amount))
                for line, entry in held
            )
            writes.append(Write(END, ("settled", call.id), release))
        if charge:
            counted = {line.budget for line, _ in held or ()}
            for entry in self._book.of(call.principal, names):
                if entry.id not in counted:
                    writes.append(Write(COUNT, (entry.id, entry.period(call.received_at).start, charge, 0)))
                self.touched.add((entry.id, entry.period(call.received_at).start))
        return writes

    def _names(self, call: Call) -> Collection[str]:
        """What the model is called by the client, and by all that may answer."""
        if not self._book.counts_models(call.principal.tenant):
            return ()
        return (call.model, *(f"{target.provider}/{target.model}" for target in self.targets(call)))

    def finished(self, call: Call, outcome: Outcome) -> None:
        """Forget the lines of a call that was refused, and so is never settled."""
        del outcome
        self._held.pop(call.id, None)
