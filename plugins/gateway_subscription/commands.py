"""`gateway plans` and `gateway subscriptions`. Work on the database, so the gateway may run or not."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, TypeVar

import click

from gateway.commands import command_actor, run_on
from gateway.known import check_tenant
from gateway.shown import print_rows
from gateway_subscription.money import shown
from gateway_subscription.plans import Plan, Plans
from gateway_subscription.rows import (
    ChargeRow,
    Row,
    all_subscriptions,
    cancel,
    change,
    get_subscription,
    list_charges,
    resume,
    set_overdue,
    subscribe,
)
from gateway_subscription.used import all_used, used_of

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
        return run_on(database, work, [migrations])

    return _plans(plans), _subscriptions(database, plans, run)


def _plans(plans: Plans) -> click.Group:
    @click.group("plans")
    def group() -> None:
        """List and show the plans that are sold."""

    @group.command("list")
    @_JSON
    def list_(as_json: bool) -> None:
        """List the plans. With --json one object per line."""
        as_row = _plan if as_json else _plan_row
        rows = [as_row(name, plan) for name, plan in plans.by_id.items()]
        print_rows(rows, as_json=as_json, none="There are no plans.")

    @group.command()
    @click.argument("plan")
    def show(plan: str) -> None:
        """Show a plan, as JSON."""
        click.echo(json.dumps(_plan(plan, plans[plan]), indent=2))

    return group


def _subscriptions(database: Database, plans: Plans, run: Run) -> click.Group:
    @click.group("subscriptions")
    def group() -> None:
        """List, show, begin, change, cancel and resume subscriptions of tenants."""

    @group.command("list")
    @_JSON
    def list_(as_json: bool) -> None:
        """List the subscriptions of all tenants. With --json one object per line."""

        async def work() -> list[dict[str, Any]]:
            rows = await all_subscriptions(database)
            used = await all_used(database, rows)
            return [(_record if as_json else _row)(row, used[row.id]) for row in rows]

        none = "There are no subscriptions. Begin one: gateway subscriptions create TENANT PLAN"
        print_rows(run(work), as_json=as_json, none=none)

    @group.command()
    @_TENANT
    @click.argument("plan")
    @_SEATS
    @_JSON
    def create(tenant: str, plan: str, seats: int | None, as_json: bool) -> None:
        """Begin a subscription of a tenant."""

        async def work() -> Row:
            await check_tenant(database, tenant)
            return await subscribe(database, plans, tenant, plan, seats=seats or 1, actor=command_actor())

        _tell(database, run, work, as_json=as_json)

    @group.command()
    @_TENANT
    @_JSON
    def show(tenant: str, as_json: bool) -> None:
        """Show the subscription of a tenant, an ended one too."""

        async def work() -> Row:
            await check_tenant(database, tenant)
            return await get_subscription(database, tenant)

        _tell(database, run, work, as_json=as_json)

    @group.command()
    @_TENANT
    @_JSON
    def charges(tenant: str, as_json: bool) -> None:
        """List what the subscription of a tenant has cost. With --json one object per line."""

        async def work() -> list[dict[str, Any]]:
            await check_tenant(database, tenant)
            as_row = _charge if as_json else _charge_row
            return [as_row(row) for row in await list_charges(database, tenant)]

        print_rows(run(work), as_json=as_json, none=f"{tenant} was never subscribed.")

    group.add_command(_change(database, plans, run))
    group.add_command(_cancel(database, plans, run))
    group.add_command(_resume(database, plans, run))
    group.add_command(_overdue(database, plans, run))
    return group


def _change(database: Database, plans: Plans, run: Run) -> click.Command:
    @click.command("change")
    @_TENANT
    @click.argument("plan")
    @_SEATS
    @click.option("--at-end", is_flag=True, help="From the next period on.")
    @_JSON
    def change_(tenant: str, plan: str, seats: int | None, at_end: bool, as_json: bool) -> None:
        """Change the plan or the seats of a tenant. More begins at once, less with --at-end."""

        def work() -> Awaitable[Row]:
            return change(database, plans, tenant, plan, seats=seats, at_end=at_end, actor=command_actor())

        _tell(database, run, work, as_json=as_json)

    return change_


def _cancel(database: Database, plans: Plans, run: Run) -> click.Command:
    @click.command("cancel")
    @_TENANT
    @click.option("--now", is_flag=True, help="At once, and give back what is left of the period.")
    @_JSON
    def cancel_(tenant: str, now: bool, as_json: bool) -> None:
        """Cancel the subscription of a tenant at the end of its period."""

        def work() -> Awaitable[Row]:
            return cancel(database, plans, tenant, at_end=not now, actor=command_actor())

        _tell(database, run, work, as_json=as_json)

    return cancel_


def _resume(database: Database, plans: Plans, run: Run) -> click.Command:
    @click.command("resume")
    @_TENANT
    @_JSON
    def resume_(tenant: str, as_json: bool) -> None:
        """Let a subscription go on that was to end with its period."""

        def work() -> Awaitable[Row]:
            return resume(database, plans, tenant, actor=command_actor())

        _tell(database, run, work, as_json=as_json)

    return resume_


def _overdue(database: Database, plans: Plans, run: Run) -> click.Command:
    @click.command("overdue")
    @_TENANT
    @click.option("--paid", is_flag=True, help="It is paid after all.")
    @_JSON
    def overdue(tenant: str, paid: bool, as_json: bool) -> None:
        """Say that a tenant's payment is overdue. Its days of grace begin to run."""

        def work() -> Awaitable[Row]:
            return set_overdue(database, plans, tenant, overdue=not paid, actor=command_actor())

        _tell(database, run, work, as_json=as_json)

    return overdue


def _tell(database: Database, run: Run, work: Work[Row], *, as_json: bool) -> None:
    """Do the work, and print the subscription that it leaves."""

    async def done() -> tuple[Row, int]:
        row = await work()
        return row, await used_of(database, row)

    row, used = run(done)
    click.echo(json.dumps(_record(row, used)) if as_json else _told(row))


def _plan(id: str, plan: Plan) -> dict[str, Any]:
    return {"id": id, **plan.model_dump(mode="json")}


def _plan_row(id: str, plan: Plan) -> dict[str, Any]:
    """What of a plan a table has room for; `gateway plans show` has all."""
    return {
        "id": id,
        "seat price": f"{plan.price:f} {plan.currency}/{plan.period}",
        "included": "all" if plan.included is None else f"{plan.included:f}",
        "then": None if plan.included is None else plan.overage,
        "seats": None if plan.most_seats is None else f"up to {plan.most_seats}",
        "trial": f"{plan.trial_days} days" if plan.trial_days else None,
        "models": plan.models,
    }


def _record(row: Row, used: int) -> dict[str, Any]:
    names = ("id", "tenant", "plan", "seats", "status", "next_plan", "next_seats", "cancel_at_end")
    times = ("period_start", "period_end", "grace_until")
    return (
        {name: getattr(row, name) for name in names}
        | {name: _time(getattr(row, name)) for name in times}
        | {"included": None if row.included is None else shown(row.included), "used": shown(used)}
    )


def _row(row: Row, used: int) -> dict[str, Any]:
    """What of a subscription a table has room for."""
    until = row.period_end if row.grace_until is None else row.grace_until
    return {
        "tenant": row.tenant,
        "plan": row.plan,
        "seats": row.seats,
        "state": row.status,
        "until": (_time(until) or "")[:10] if row.served else None,
        "then": "ends" if row.cancel_at_end else row.next_plan,
        "used": shown(used),
        "of": "all" if row.included is None else shown(row.included),
    }


def _charge(row: ChargeRow) -> dict[str, Any]:
    """What a part of a period cost."""
    return {
        "kind": row.kind,
        "plan": row.plan,
        "seats": row.seats,
        "start": _time(row.start),
        "end": _time(row.end),
        "amount": shown(row.amount),
        "currency": row.currency,
        "included": shown(row.included),
    }


def _charge_row(row: ChargeRow) -> dict[str, Any]:
    """What of it a table has room for."""
    return {
        "kind": row.kind,
        "plan": row.plan,
        "seats": row.seats,
        "from": (_time(row.start) or "")[:10],
        "until": (_time(row.end) or "")[:10],
        "amount": f"{shown(row.amount)} {row.currency}",
        "included": shown(row.included) if row.included else None,
    }


def _told(row: Row) -> str:
    more = f", then {row.next_plan}" if row.next_plan else ", then it ends" if row.cancel_at_end else ""
    until = row.period_end if row.grace_until is None else row.grace_until
    end = f" until {_time(until)}{more}" if row.served else ""
    return f"{row.tenant}  {row.plan}, {row.seats} {'seat' if row.seats == 1 else 'seats'}  {row.status}{end}"


def _time(moment: int | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")
