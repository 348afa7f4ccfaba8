"""`gateway plans` and `gateway subscriptions`. Work on the database, so the gateway may run or not."""

from __future__ import annotations

import asyncio
import getpass
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, TypeVar

import click

from gateway.store.audit import Actor
from gateway.store.migrate import needs_upgrade, upgrade
from gateway_subscription.money import shown
from gateway_subscription.plans import Plan, Plans
from gateway_subscription.rows import Row, all_subscriptions, cancel, change, set_overdue, subscribe

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.store import Database

T = TypeVar("T")
Work: TypeAlias = Callable[[], Awaitable[T]]

_TENANT: Final = click.argument("tenant")
_SEATS: Final = click.option("--seats", type=click.IntRange(1), help="How many.  [default: as before, or 1]")
_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


class Run(Protocol):
    """Does some work on the database, brought up to date first. Raises `Unavailable`."""

    def __call__(self, work: Work[T]) -> T: ...


def commands(database: Database, plans: Plans, migrations: Path) -> tuple[click.Group, click.Group]:
    """Make both groups of commands for a database."""

    def run(work: Work[T]) -> T:
        async def upgraded() -> T:
            try:
                if await needs_upgrade(database, [migrations]):
                    await upgrade(database, [migrations])
                return await work()
            finally:
                await database.close()

        return asyncio.run(upgraded())

    return _plans(plans), _subscriptions(database, plans, run)


def _plans(plans: Plans) -> click.Group:
    @click.group("plans")
    def group() -> None:
        """List and show the plans that are sold."""

    @group.command("list")
    @_JSON
    def list_(as_json: bool) -> None:
        """List the plans. With --json one object per line."""
        for name, plan in plans.by_id.items():
            click.echo(json.dumps(_plan(name, plan)) if as_json else _line(name, plan))

    @group.command()
    @click.argument("plan")
    def show(plan: str) -> None:
        """Show a plan, as JSON."""
        click.echo(json.dumps(_plan(plan, plans[plan]), indent=2))

    return group


def _subscriptions(database: Database, plans: Plans, run: Run) -> click.Group:
    @click.group("subscriptions")
    def group() -> None:
        """List, begin, change and cancel subscriptions of tenants."""

    @group.command("list")
    @_JSON
    def list_(as_json: bool) -> None:
        """List the subscriptions of all tenants. With --json one object per line."""
        rows = run(lambda: all_subscriptions(database))
        for row in rows:
            click.echo(json.dumps(_record(row)) if as_json else _told(row))
        if not (rows or as_json):
            click.echo("There are no subscriptions. Begin one: gateway subscriptions create TENANT PLAN")

    @group.command()
    @_TENANT
    @click.argument("plan")
    @_SEATS
    def create(tenant: str, plan: str, seats: int | None) -> None:
        """Begin a subscription of a tenant."""
        row = run(lambda: subscribe(database, plans, tenant, plan, seats=seats or 1, actor=_actor()))
        click.echo(_told(row))

    group.add_command(_change(database, plans, run))
    group.add_command(_cancel(database, plans, run))
    group.add_command(_overdue(database, plans, run))
    return group


def _change(database: Database, plans: Plans, run: Run) -> click.Command:
    @click.command("change")
    @_TENANT
    @click.argument("plan")
    @_SEATS
    @click.option("--at-end", is_flag=True, help="From the next period on.")
    def change_(tenant: str, plan: str, seats: int | None, at_end: bool) -> None:
        """Change the plan of a tenant: to more at once, to less at the end of the period."""
        row = run(lambda: change(database, plans, tenant, plan, seats=seats, at_end=at_end, actor=_actor()))
        click.echo(_told(row))

    return change_


def _cancel(database: Database, plans: Plans, run: Run) -> click.Command:
    @click.command("cancel")
    @_TENANT
    @click.option("--now", is_flag=True, help="At once, and give back what is left of the period.")
    def cancel_(tenant: str, now: bool) -> None:
        """Cancel the subscription of a tenant at the end of its period."""
        click.echo(_told(run(lambda: cancel(database, plans, tenant, at_end=not now, actor=_actor()))))

    return cancel_


def _overdue(database: Database, plans: Plans, run: Run) -> click.Command:
    @click.command("overdue")
    @_TENANT
    @click.option("--paid", is_flag=True, help="It is paid after all.")
    def overdue(tenant: str, paid: bool) -> None:
        """Say that a tenant's payment is overdue: its days of grace begin to run."""
        row = run(lambda: set_overdue(database, plans, tenant, overdue=not paid, actor=_actor()))
        click.echo(_told(row))

    return overdue


def _actor() -> Actor:
    try:
        login = getpass.getuser()
    except (OSError, KeyError, ImportError):  # what it raises depends on the version of Python
        login = "unknown"
    return Actor(kind="command", id=login)


def _plan(id: str, plan: Plan) -> dict[str, Any]:
    return {"id": id, **plan.model_dump(mode="json")}


def _line(id: str, plan: Plan) -> str:
    included = "usage not limited" if plan.included is None else f"{plan.included} credits included"
    return f"{id}  {plan.name}  {plan.price} {plan.currency}/{plan.period}  {included}, then {plan.overage}"


def _record(row: Row) -> dict[str, Any]:
    names = ("id", "tenant", "plan", "seats", "status", "next_plan", "next_seats", "cancel_at_end")
    times = ("period_start", "period_end", "grace_until")
    return (
        {name: getattr(row, name) for name in names}
        | {name: _time(getattr(row, name)) for name in times}
        | {"included": None if row.included is None else shown(row.included)}
    )


def _told(row: Row) -> str:
    more = f", then {row.next_plan}" if row.next_plan else ", then it ends" if row.cancel_at_end else ""
    until = row.period_end if row.grace_until is None else row.grace_until
    end = f" until {_time(until)}{more}" if row.served else ""
    return f"{row.tenant}  {row.plan}, {row.seats} seats  {row.status}{end}"


def _time(moment: int | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")
