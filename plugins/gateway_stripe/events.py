"""Events of Stripe's, each handled once. They say what to look at: what counts is what Stripe answers then."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from sqlalchemy import delete, select

from gateway.store.upsert import insert_into
from gateway_stripe.errors import NotOurs, Refused
from gateway_stripe.sender import NotAtStripe
from gateway_stripe.tables import events

if TYPE_CHECKING:
    from gateway.store import Database
    from gateway_stripe.payments import Payments
    from gateway_stripe.reversals import Reversals
    from gateway_stripe.subscriptions import Subscriptions

log = logging.getLogger("gateway.plugin.billing.stripe")

_KEPT_SECONDS: Final = 40 * 86_400.0
"""Stripe sends an event for three days, and lists it for thirty."""


class About(Struct, frozen=True):
    """The object of an event: what we read of it."""

    id: str = ""
    payment_intent: Any = None


class Data(Struct, frozen=True):
    """The data of an event."""

    object: About


class Event(Struct, frozen=True):
    """An event: what we read of it. https://docs.stripe.com/api/events/object."""

    id: str
    type: str
    livemode: bool
    data: Data
    account: str | None = None
    """Of another account, that is connected to ours."""


class Events:
    """Handles events, in whichever order and however often they come."""

    def __init__(
        self,
        database: Database,
        payments: Payments,
        reversals: Reversals,
        subscriptions: Subscriptions,
        *,
        live: bool,
    ) -> None:
        self._database = database
        self._payments = payments
        self._reversals = reversals
        self._subscriptions = subscriptions
        self._live = live

    async def handle(self, event: Event, *, again: bool = False) -> str:
        """Handle an event unless that was done, or `again`. Return `done`, `ignored`, `refused` or `known`.

        Raises `GatewayError`s that pass: then it counts as not handled.
        """
        if not again and await self._known(event):
            return "known"
        problem = None
        try:
            self._check(event)
            outcome = "done" if await self._act(event) else "ignored"
        except NotOurs as error:
            outcome, problem = "ignored", str(error)
        except (Refused, NotAtStripe) as error:
            outcome, problem = "refused", str(error)
            log.error(  # noqa: TRY400 - the problem says it all
                "refused event %s (%s) about %s: %s", event.id, event.type, event.data.object.id, problem
            )
        await self._remember(event, outcome, problem)
        return outcome

    def _check(self, event: Event) -> None:
        if event.account is not None:
            raise Refused("it is another account's")
        if event.livemode != self._live:
            raise Refused("it is of the test mode" if self._live else "it is of the live mode")

    async def _act(self, event: Event) -> bool:
        about = event.data.object
        for prefix, act in self._acts():
            if event.type.startswith(prefix):
                return await act(about)
        return False

    def _acts(self) -> tuple[tuple[str, Callable[[About], Awaitable[bool]]], ...]:
        return (
            ("checkout.session.", self._session),
            ("charge.dispute.", self._dispute),
            ("charge.refund", self._refund),  # charge.refunded and charge.refund.updated
            ("refund.", self._refund),
            ("customer.subscription.", self._subscription),
            ("invoice.paid", self._invoice),
            ("invoice.payment_failed", self._invoice),
        )

    async def _session(self, about: About) -> bool:
        await self._payments.settle(about.id)
        return True

    async def _refund(self, about: About) -> bool:
        payment = about.payment_intent
        if not isinstance(payment, str):  # of a charge that no checkout of ours has made
            return False
        await self._reversals.refunds_of(payment)
        return True

    async def _dispute(self, about: About) -> bool:
        await self._reversals.dispute(about.id)
        return True

    async def _subscription(self, about: About) -> bool:
        await self._subscriptions.refresh(about.id)
        return True

    async def _invoice(self, about: About) -> bool:
        return await self._subscriptions.paid(about.id)

    async def _known(self, event: Event) -> bool:
        async with self._database.connect() as connection:
            query = select(events.c.id).where(events.c.id == event.id)
            return (await connection.execute(query)).one_or_none() is not None

    async def _remember(self, event: Event, outcome: str, problem: str | None) -> None:
        now = time.time()
        row = {
            "id": event.id,
            "type": event.type[:100],
            "object": event.data.object.id[:200],
            "outcome": outcome,
            "problem": problem,
            "handled_at": now,
        }
        async with self._database.begin() as connection:
            new = insert_into(connection, events).values(row)
            await connection.execute(new.on_conflict_do_update(index_elements=[events.c.id], set_=row))
            await connection.execute(delete(events).where(events.c.handled_at < now - _KEPT_SECONDS))
