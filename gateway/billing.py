"""What plugins that deal with money may hand to the gateway besides `Billing` and `Sink`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct

from gateway.types import Call, Outcome


@runtime_checkable
class OnSettled(Protocol):
    """Adds rows to the transaction that settles a call, and none to the one that opens it: `register_billing`."""

    def on_settle(self, call: Call, outcome: Outcome) -> Sequence[Any]:
        """`gateway.store.Write`s that join the settlement; skipped when the call was settled before."""
        ...


@runtime_checkable
class Adjusts(Protocol):
    """Books what pricing a period again has added to calls, or taken off: `register_adjusters`."""

    async def on_adjust(self, connection: Any, adjustments: Sequence[Any]) -> None:
        """Book within the transaction that writes the adjustments, so that both are there or neither is.

        `connection` is SQLAlchemy's, `adjustments` are `gateway.store.price_adjustments.Adjustment`s, each of which
        comes once. What is raised undoes all of them.
        """
        ...


@runtime_checkable
class TakesNotices(Protocol):
    """A `Sink` that also hears what happens to money beside calls: adjustments, refunds, low balances."""

    async def deliver_notices(self, notices: Sequence[Mapping[str, Any]]) -> None:
        """Hand notices on, as `Sink.deliver` does records.

        Each has an `id`, by which the far side deduplicates, its `kind`, `tenant`, `user` (or None), `time` (RFC 3339)
        and `data`, which docs/events.md describes for each kind.
        """
        ...


class CreditAccount(Struct, frozen=True, kw_only=True):
    """What somebody has of prepaid credits. Amounts are 10⁻⁹ credit."""

    balance: int
    """What is left, calls that are running not taken off; below zero for a debt."""
    held: int
    """By calls that are running."""
    granted: int
    """What was ever given, without what has expired."""
    grants: int
    """How many grants have something left."""
    shared: bool
    """Whether it is the tenant's own, and not a user's."""
    payment_url: str | None
    """Where to add credit."""

    @property
    def used(self) -> int:
        """What of it is gone."""
        return max(0, self.granted - self.balance)


class CreditGrant(Struct, frozen=True, kw_only=True):
    """Credit that was given. Amounts are 10⁻⁹ credit, times Unix seconds."""

    id: str
    kind: str
    """`paid` or `promotional`."""
    amount: int
    remaining: int
    created_at: float
    expires_at: float | None


class CreditEntry(Struct, frozen=True, kw_only=True):
    """What was booked on an account."""

    id: str
    """Of a capture, that of its call."""
    kind: str
    at: float
    """Unix seconds."""
    amount: int
    """In 10⁻⁹ credit; below zero for what was taken."""
    reference: str | None


@runtime_checkable
class ShowsCredits(Protocol):
    """A `CreditBook` that can be read, too. `user` is whose account it is, where accounts are of users."""

    async def credit_account(self, tenant: str, user: str | None = None) -> CreditAccount:
        """Return how an account stands now; one that is not there has nothing. Raises `Unavailable`."""
        ...

    async def credit_grants(
        self, tenant: str, user: str | None = None, *, limit: int
    ) -> Sequence[CreditGrant]:
        """Return what was given, newest first, spent grants too. Raises `Unavailable`."""
        ...

    async def credit_entries(
        self, tenant: str, user: str | None = None, *, limit: int
    ) -> Sequence[CreditEntry]:
        """Return what was booked, newest first. Raises `Unavailable`."""
        ...
