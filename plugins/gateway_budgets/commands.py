"""`gateway budgets`. Works on the database, so the gateway may run or not."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, TypeVar, get_args

import click

from gateway.commands import command_actor, run_on
from gateway.errors import InvalidRequest
from gateway.known import check_tenant
from gateway.shown import print_rows
from gateway_budgets.amount import nano_of, shown
from gateway_budgets.book import Book, entry_of
from gateway_budgets.period import Span
from gateway_budgets.rows import (
    Budget,
    NewBudget,
    Scope,
    change_budget,
    create_budget,
    delete_budget,
    find_budget,
    list_budgets,
)
from gateway_budgets.standing import Standing, standings

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.store import Database

T = TypeVar("T")
Work: TypeAlias = Callable[[], Awaitable[T]]


class Run(Protocol):
    """Does some work on the database, brought up to date first. Raises `Unavailable`."""

    def __call__(self, work: Work[T]) -> T: ...


_AMOUNT: Final = re.compile(r"(?P<amount>\d+(?:\.\d+)?)/(?P<period>day|week|month|total)")
_TENANT: Final = click.option(
    "--tenant", default="default", show_default=True, help="Whose budgets they are."
)
_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


class AmountType(click.ParamType[tuple[int, Span]]):
    """`25/month`."""

    name = "amount"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        match = _AMOUNT.fullmatch(str(value).strip())
        if match is None:
            self.fail(
                f"{value!r} is no budget: write credits and period as 25/month (day, week, month or total)",
                param,
                ctx,
            )
        return nano_of(Decimal(match["amount"])), match["period"]


def commands(database: Database, currencies: Mapping[str, Decimal], migrations: Path) -> click.Group:
    """Make the group of commands for a database."""

    def run(work: Work[T]) -> T:
        return run_on(database, work, [migrations])

    @click.group()
    def budgets() -> None:
        """Set, list and remove budgets, and tell how they stand."""

    budgets.add_command(_list(database, run))
    budgets.add_command(_set_command(database, run))
    budgets.add_command(_remove(database, run))
    budgets.add_command(_status_command(database, currencies, run))
    return budgets


def _list(database: Database, run: Run) -> click.Command:
    @click.command("list")
    @_TENANT
    @_JSON
    def list_(tenant: str, as_json: bool) -> None:
        """List the budgets of a tenant. With --json one object per line."""

        async def work() -> list[Budget]:
            await check_tenant(database, tenant)
            return await list_budgets(database, tenant)

        as_row = _record if as_json else _row
        none = f"The tenant {tenant} has no budgets. Set one: gateway budgets set 100/month --tenant {tenant}"
        print_rows([*map(as_row, run(work))], as_json=as_json, none=none)

    return list_


def _set_command(database: Database, run: Run) -> click.Command:
    @click.command("set")
    @click.argument("amount", type=AmountType(), metavar="AMOUNT")
    @_TENANT
    @click.option("--key", help="For this API key only, by its id.")
    @click.option("--user", help="For this user or service account only.")
    @click.option("--team", help="For the members of this team together.")
    @click.option("--model", help="For this model or `prefix*` only.")
    @click.option("--soft", is_flag=True, help="Tell, but refuse nothing.")
    @click.option("--time-zone", default="UTC", show_default=True, help="In which periods begin.")
    @_JSON
    def set_(
        amount: tuple[int, Span],
        tenant: str,
        soft: bool,
        time_zone: str,
        as_json: bool,
        **subjects: str | None,
    ) -> None:
        """Set a budget of so many credits, as 25/month. Without options it is for the tenant as a whole."""
        scope, subject = _subject(subjects)
        new = NewBudget(
            tenant=tenant,
            scope=scope,
            subject=subject,
            period=amount[1],
            time_zone=time_zone,
            amount=amount[0],
            kind="soft" if soft else "hard",
        )
        row = run(lambda: _set(database, new))
        click.echo(json.dumps(_record(row)) if as_json else f"Set {_line(row)}")

    return set_


def _remove(database: Database, run: Run) -> click.Command:
    @click.command()
    @click.argument("budget", metavar="ID")
    @_TENANT
    def remove(budget: str, tenant: str) -> None:
        """Remove a budget."""
        run(lambda: delete_budget(database, tenant, budget, actor=command_actor()))
        click.echo(f"Removed {budget}.")

    return remove


def _status_command(database: Database, currencies: Mapping[str, Decimal], run: Run) -> click.Command:
    @click.command()
    @_TENANT
    @_JSON
    def status(tenant: str, as_json: bool) -> None:
        """Tell how budgets stand. Those that keys have of their own are among them. With --json one object per line."""
        found = run(lambda: _standings(database, currencies, tenant))
        as_row = _status if as_json else _standing_row
        none = f"The tenant {tenant} has no budgets. Set one: gateway budgets set 100/month --tenant {tenant}"
        print_rows([*map(as_row, found)], as_json=as_json, none=none)

    return status


async def _set(database: Database, new: NewBudget) -> Budget:
    """Change the budget for the same thing and period, or make one."""
    await check_tenant(database, new.tenant)
    found = await find_budget(database, new)
    if found is None:
        return await create_budget(database, new, actor=command_actor())
    if found.time_zone != new.time_zone:
        raise InvalidRequest(
            f"The budget {found.id} counts in the time zone {found.time_zone}: remove it first, or keep that one."
        )
    return await change_budget(
        database, new.tenant, found.id, amount=new.amount, kind=new.kind, actor=command_actor()
    )


async def _standings(database: Database, currencies: Mapping[str, Decimal], tenant: str) -> list[Standing]:
    await check_tenant(database, tenant)
    book = Book(database, currencies)
    await book.refresh_keys(0)
    entries = [*map(entry_of, await list_budgets(database, tenant)), *book.of_keys(tenant)]
    return await standings(database, entries, time.time())


def _subject(subjects: Mapping[str, str | None]) -> tuple[Scope, str]:
    scopes: tuple[Scope, ...] = get_args(Scope)
    given: list[tuple[Scope, str]] = [
        (scope, subject) for scope in scopes if (subject := subjects.get(scope)) is not None
    ]
    if len(given) > 1:
        raise click.UsageError("A budget is for one thing: give one of --key, --user, --team and --model.")
    return given[0] if given else ("tenant", "")


def _line(row: Budget) -> str:
    whom = f"{row.scope} {row.subject}".strip()
    return f"{row.id}  {whom}  {shown(row.amount)}/{row.period} {row.time_zone}  {row.kind}"


def _record(row: Budget) -> dict[str, Any]:
    names = ("id", "tenant", "scope", "subject", "period", "time_zone", "kind")
    return {name: getattr(row, name) for name in names} | {"amount": shown(row.amount)}


def _status(standing: Standing) -> dict[str, Any]:
    entry = standing.entry
    start, end = standing.span
    return {
        "id": entry.id,
        "scope": entry.scope,
        "subject": entry.subject,
        "period": entry.span,
        "period_start": start,
        "period_end": end,
        "kind": entry.kind,
        "amount": None if entry.amount is None else shown(entry.amount),
        "spent": shown(standing.spent),
        "reserved": shown(standing.reserved),
        "left": shown(standing.left),
        "alerts": [*standing.alerts],
    }


def _row(row: Budget) -> dict[str, Any]:
    return {
        "id": row.id,
        "of": f"{row.scope} {row.subject}".strip(),
        "amount": shown(row.amount),
        "per": row.period,
        "in": row.time_zone,
        "kind": row.kind,
    }


def _standing_row(standing: Standing) -> dict[str, Any]:
    """How a budget stands; what is in a currency that is not counted refuses all calls."""
    entry = standing.entry
    told = {
        "id": entry.id,
        "of": f"{entry.scope} {entry.subject}".strip(),
        "amount": f"not counted: {entry.currency}",
        "per": entry.span,
        "spent": "",
        "reserved": "",
        "left": "0",
        "reached": "",
        "kind": entry.kind,
    }
    if entry.amount is not None:
        told |= {
            "amount": shown(entry.amount),
            "spent": shown(standing.spent),
            "reserved": shown(standing.reserved) if standing.reserved else "",
            "left": shown(standing.left),
            "reached": "".join(f"{threshold} %" for threshold in standing.alerts[-1:]),
        }
    return told
