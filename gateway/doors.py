"""Doors that `Context` lends to plugins: to the gateway itself, and to what other plugins keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, runtime_checkable

from msgspec import Struct

from gateway.types import Answer, Call, Dialect, ModelInfo, Principal
from gateway.wire import PLAIN, Given

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection
    from starlette.types import Receive, Scope, Send

    from gateway.store.audit import Actor


class Visit(Protocol):
    """A request at a route of a plugin's own, of somebody who is known."""

    principal: Principal
    headers: Mapping[bytes, bytes]
    """Lower-case names; of a repeated header the last value."""

    async def body(self) -> bytes:
        """The whole body, within the configured limit. Raises `InvalidRequest` beyond it."""
        ...

    async def answer(self, dialect: Dialect, body: bytes, given: Given = PLAIN) -> None:
        """Make the call that a body in that dialect asks for, and answer the request: also with errors, also in a stream.

        `given` is what the request says outside of the body.
        """
        ...

    async def ask(self, dialect: Dialect, body: bytes, given: Given = PLAIN) -> Answer:
        """Make the call and return its whole answer, for you to answer the request with. Raises what ends the call."""
        ...


class Calls(Protocol):
    """Calls and models, for plugins with routes of their own: `context.calls`.

    A request makes at most one call, which goes the same way as all others, through the pipeline and the ledger.
    """

    async def enter(self, scope: Scope, receive: Receive, send: Send) -> Visit:
        """Find out whose request it is. Raises `AuthenticationFailed`, or `Unavailable` when it cannot be told."""
        ...

    def models(self, principal: Principal) -> Sequence[ModelInfo]:
        """The names that somebody may call: aliases first, then `provider/model`."""
        ...

    def model(self, name: str, principal: Principal) -> ModelInfo:
        """Describe a name that may be called, listed or not. Raises `ModelNotFound`."""
        ...


class Prices(Protocol):
    """What calls are charged, for plugins that hold money for a call before it is made: `context.prices`."""

    def estimate(self, call: Call) -> int | None:
        """The most that a call is likely to be charged, in 10⁻⁹ credit; None when no price is known.

        That is for its input as it is, and the longest answer that it allows. Raises what the call will be refused
        with when its model is not known.
        """
        ...

    def use_plans(self, plan_of: Callable[[str], str | None]) -> None:
        """Let selling prices of plans hold: `plan_of` tells the plan of a tenant, at once and from memory."""
        ...


class Charged(Struct, frozen=True, kw_only=True):
    """What calls of one model were charged for one thing that they used, at one rate."""

    provider: str
    """The instance's name; empty where none was reached."""
    model: str
    unit: str
    """`input_tokens`, `cached_read_tokens`, `output_tokens`, `reasoning_tokens`, `images`, `seconds`, `requests`, …;
    `calls` where the rates are not known any more."""
    detail: str = ""
    """Which of them: `> 200000` tokens of prompt, `1024x1024 high`, `batch`."""
    quantity: Decimal
    rate: Fraction | None
    """In 10⁻⁹ credit for `per` of them; None where it is not known."""
    per: int = 1
    charge: int
    """In 10⁻⁹ credit: a whole number, so that all together are exactly what the ledger has."""
    calls: int = 0
    """Calls that are told of here, and in no other row of the model."""
    uses: Mapping[str, Decimal] = {}
    """Without a rate: what the calls used, by unit."""


class Charges(Protocol):
    """What calls were charged: `context.charges`."""

    async def charged(
        self, connection: AsyncConnection, tenant: str, since: float, until: float
    ) -> Sequence[Charged]:
        """The charges of a tenant's calls received from `since` until before `until` (Unix seconds), without adjustments.

        They add up to the charges in the ledger exactly. Raises `ConfigError` for a price book that cannot be read, and
        `Unavailable`.
        """
        ...


class CreditBook(Protocol):
    """Prepaid credits, in 10⁻⁹ credit: `context.credits`. What is asked twice under a `reference` happens once."""

    async def grant(
        self,
        tenant: str,
        amount: int,
        *,
        kind: Literal["paid", "promotional"],
        reference: str,
        user: str | None = None,
        expires_at: float | None = None,
        priority: int = 50,
    ) -> bool:
        """Give credits, spent by `priority` (0 first), to `user` where accounts are of users; False when that was done before.

        Raises `InvalidRequest` for an amount that is not positive, and for a reference of another tenant or amount.
        """
        ...

    async def take_back(
        self, tenant: str, amount: int, *, grant: str, reference: str, user: str | None = None
    ) -> bool:
        """Take back what `grant` (its reference) gave, into debt for what is spent; False when that was done. Raises as `grant`."""
        ...


StandingStatus: TypeAlias = Literal["trialing", "active", "past_due", "cancelled", "expired"]


class Standing(Struct, frozen=True, kw_only=True):
    """How a subscription stands with whoever takes the money for it. Times are Unix seconds."""

    reference: str
    """By which it is known there, as `stripe:sub_x`; the subscription's own id where nobody takes money for it."""
    plan: str
    """The plan's id in the book."""
    seats: int
    status: StandingStatus
    period_start: int
    period_end: int
    cancel_at_end: bool
    told_at: float
    """When it was asked for: of two answers the later one counts."""


class SubscriptionBook(Protocol):
    """Subscriptions of tenants to plans, where a plugin keeps them: `context.subscriptions`."""

    def trial_days(self, tenant: str, plan: str, seats: int) -> int:
        """How many days a tenant that subscribes now may try a plan; no more where it was subscribed before.

        Raises `InvalidRequest` for a plan that there is not, and for a number of seats that it does not have.
        """
        ...

    async def standing(self, tenant: str) -> Standing | None:
        """How a tenant's subscription stands, an ended one too; None where there never was one. Raises `Unavailable`."""
        ...

    async def cancel(self, tenant: str, *, at_end: bool, actor: Actor) -> Standing:
        """Let a tenant's subscription end with its period, or go on after all.

        Raises `InvalidRequest`: 404 without one, 409 for one that has ended or is paid elsewhere; and `Unavailable`.
        """
        ...

    async def follow(self, tenant: str, standing: Standing) -> bool:
        """Make a tenant's subscription what it is elsewhere, where it is paid; return whether that changed anything.

        The same may be told again, and late: what is older than what was told before changes nothing. Raises
        `InvalidRequest` for a tenant or plan that there is not, and `Unavailable`.
        """
        ...


class Fee(Struct, frozen=True, kw_only=True):
    """What a plan costs for a time, whatever is used."""

    plan: str
    """Its name, for people."""
    seats: int
    start: int
    end: int
    """Unix seconds; the first moment after it."""
    amount: int
    """In 10⁻⁹ of the currency; below zero for what is given back."""
    currency: str


CoveredBy: TypeAlias = Literal["plan", "credit"]
"""Included in a plan, or paid with prepaid credit."""


class Terms(Struct, frozen=True):
    """By what of its config a book covers charges: an invoice keeps it, and is proved by it whatever the config says then."""

    by: CoveredBy
    config: str
    """In the book's own words."""


class Covered(Struct, frozen=True, kw_only=True):
    """Charges of calls that are not to be asked for any more."""

    by: CoveredBy
    plan: str = ""
    """Its name, for people."""
    charge: int
    """In 10⁻⁹ credit; below zero where repricing takes back more than was left to be covered."""


@runtime_checkable
class Covers(Protocol):
    """A `SubscriptionBook` or `CreditBook` that tells invoices what is owed besides calls, and what calls do not owe."""

    def terms(self) -> Terms:
        """Those of today."""
        ...

    async def cover(
        self, connection: AsyncConnection, tenant: str, since: float, until: float, terms: Terms
    ) -> Sequence[Fee | Covered]:
        """What was asked and covered from `since` until before `until` (Unix seconds), by terms that it gave.

        Calls count when they were received, repricings and fees when they were made: for adjoining times, it all adds
        up to what it is for the whole, and asked again later it is the same.
        """
        ...


class Finding(Struct, frozen=True, kw_only=True):
    """Something that was billed, or should have been, and is not what the ledger has."""

    book: str
    """Who billed: `invoices`, `stripe`."""
    tenant: str
    object: str
    """What it is about: the number of an invoice, or an id."""
    problem: str
    calls: tuple[str, ...] = ()
    """Ids of the calls that most likely are the reason."""


@runtime_checkable
class Compares(Protocol):
    """Compares what a plugin has billed with the ledger: `register_comparisons`."""

    async def compare(self, since: float, until: float) -> Sequence[Finding]:
        """Every difference in what was billed for the time from `since` until before `until` (Unix seconds).

        Writes nothing. Raises `GatewayError` where the other side cannot be asked.
        """
        ...
