"""`gateway credits`: look into accounts, give, give back, move, and prove the books. The gateway need not run."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TypeVar

import click

from gateway.commands import command_actor, run_on
from gateway.errors import InvalidRequest
from gateway.known import check_tenant
from gateway_credits import reading
from gateway_credits.account import Account, Kind, nano_of, shown
from gateway_credits.book import MIDDLE, Book
from gateway_credits.verify import verify

T = TypeVar("T")

_MIGRATIONS = Path(__file__).parent / "migrations"
_DAY = 86_400.0


class _AccountType(click.ParamType[Any]):
    name = "account"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Account:
        tenant, _, user = str(value).partition("/")
        if not tenant:
            self.fail(f"write TENANT, or TENANT/USER where accounts are of users: not {value!r}", param, ctx)
        return Account(tenant, user)


class _AmountType(click.ParamType[Any]):
    name = "credits"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return nano_of(Decimal(str(value)))
        except InvalidOperation:
            self.fail(f"{value!r} is no amount; write it as 12.5", param, ctx)


_ACCOUNT, _AMOUNT = _AccountType(), _AmountType()
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
_reference = click.option("--reference", help="The reason, told only once: again, nothing happens.")


@click.command()
@click.argument("account", type=_ACCOUNT)
@_json
@click.pass_obj
def balance(book: Book, account: Account, as_json: bool) -> None:
    """Show what ACCOUNT has. ACCOUNT is TENANT, or TENANT/USER where accounts are of users."""

    async def work() -> tuple[Any, Any]:
        found = await book.balance(account)
        return found, await reading.list_grants(book.database, account, after=None, limit=200, spent=False)

    found, grants = _run(book, work)
    if as_json:
        click.echo(
            json.dumps({"account": account.shown, **_amounts(found), "grants": [*map(_grant, grants)]})
        )
        return
    click.echo(f"{account.shown}: {shown(found.balance)} credits, {shown(found.held)} of them held")
    for grant in map(_grant, grants):
        until = f", until {grant['expires_at']}" if grant["expires_at"] else ""
        click.echo(f"  {grant['id']}  {grant['remaining']} of {grant['amount']} {grant['kind']}{until}")


@click.command()
@click.argument("account", type=_ACCOUNT)
@click.argument("amount", type=_AMOUNT)
@click.option(
    "--kind",
    type=click.Choice(["paid", "promotional"]),
    default="paid",
    show_default=True,
    help="Whether somebody paid for it.",
)
@click.option(
    "--priority",
    type=click.IntRange(0, 100),
    default=MIDDLE,
    show_default=True,
    help="0 is spent first.",
)
@click.option("--days", type=click.FloatRange(min=0, min_open=True), help="Expires after so many days.")
@_reference
@_json
@click.pass_obj
def grant(
    book: Book,
    account: Account,
    amount: int,
    kind: Kind,
    priority: int,
    days: float | None,
    reference: str | None,
    as_json: bool,
) -> None:
    """Give ACCOUNT credit."""

    async def work() -> bool:
        await _check(book, account)
        return await book.grant(
            account.tenant,
            amount,
            kind=kind,
            reference=reference or f"command:{book.new_id()}",
            user=account.owner or None,
            expires_at=None if days is None else time.time() + days * _DAY,
            priority=priority,
            actor=command_actor(),
        )

    done = _run(book, work)
    _tell(
        as_json,
        done,
        {"account": account.shown, "amount": shown(amount)},
        "Granted {amount} to {account}.",
    )


@click.command()
@click.argument("tenant")
@click.argument("call")
@click.option("--amount", type=_AMOUNT, help="Only so much of it.")
@_json
@click.pass_obj
def refund(book: Book, tenant: str, call: str, amount: int | None, as_json: bool) -> None:
    """Give TENANT back what CALL was charged, once."""
    given = _run(book, lambda: book.refund(tenant, call, amount, actor=command_actor()))
    _tell(as_json, given > 0, {"call": call, "amount": shown(given)}, "Refunded {amount} for {call}.")


@click.command()
@click.argument("source", type=_ACCOUNT)
@click.argument("to", type=_ACCOUNT)
@click.argument("amount", type=_AMOUNT)
@_reference
@_json
@click.pass_obj
def transfer(
    book: Book, source: Account, to: Account, amount: int, reference: str | None, as_json: bool
) -> None:
    """Move AMOUNT of credit from account SOURCE to account TO. It keeps its kind and expiry."""

    async def work() -> bool:
        await _check(book, to)
        return await book.transfer(source, to, amount, reference=reference, actor=command_actor())

    done = _run(book, work)
    told = {"source": source.shown, "to": to.shown, "amount": shown(amount)}
    _tell(as_json, done, told, "Moved {amount} from {source} to {to}.")


@click.command()
@click.argument("account", type=_ACCOUNT)
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many at most."
)
@_json
@click.pass_obj
def history(book: Book, account: Account, limit: int, as_json: bool) -> None:
    """Show what was booked on ACCOUNT, newest first. With --json one object per line."""
    rows = _run(book, lambda: reading.list_transactions(book.database, account, after=None, limit=limit))
    for row in rows:
        record = {
            "id": row.id,
            "at": _time(row.at),
            "kind": row.kind,
            "amount": shown(row.amount),
            "reference": row.reference,
            "note": row.note,
        }
        plain = f"{record['at']}  {row.kind:<10} {record['amount']:>16}  {row.reference or row.id}"
        click.echo(json.dumps(record) if as_json else plain)


@click.command(name="verify")
@click.option(
    "--since",
    metavar="TIME",
    type=click.DateTime(),
    help="Look at calls that ended from then on: 2026-10-31, or with T12:00:00 behind it, in UTC.",
)
@_json
@click.pass_obj
def verify_(book: Book, since: datetime | None, as_json: bool) -> None:
    """Prove that the books are right. The journal balances, balances are its sums, and each charged call is in it.

    Exits with 1 and names what is wrong, the first problem first.
    """
    from_then = None if since is None else since.replace(tzinfo=UTC).timestamp()

    async def work() -> list[str]:
        return [problem async for problem in verify(book.database, since=from_then, free=book.free)]

    problems = _run(book, work)
    if as_json:
        click.echo(json.dumps({"ok": not problems, "problems": problems}))
    for problem in () if as_json else problems:
        click.echo(problem, err=True)
    if problems:
        raise click.exceptions.Exit(1)
    if not as_json:
        click.echo("The books are right.")


def commands(book: Book) -> click.Group:
    """Make `gateway credits` for a book."""
    return click.Group(
        "credits",
        [balance, grant, refund, transfer, history, verify_],
        help="Look into credit accounts, grant, refund, transfer, verify.",
        context_settings={"obj": book},
    )


def _run(book: Book, work: Callable[[], Awaitable[T]]) -> T:
    """Run on the database, brought up to date first. Raises `Unavailable`."""
    return run_on(book.database, work, [_MIGRATIONS])


async def _check(book: Book, account: Account) -> None:
    """Raise `BadParameter` for an account of a tenant that there is not: what it is given, nobody has."""
    try:
        await check_tenant(book.database, account.tenant)
    except InvalidRequest as error:
        raise click.BadParameter(error.message, param_hint="ACCOUNT") from error


def _tell(as_json: bool, done: bool, what: dict[str, str], sentence: str) -> None:
    if as_json:
        click.echo(json.dumps({**what, "done": done}))
    else:
        click.echo(sentence.format(**what) if done else "Nothing to do: this was done before.")


def _amounts(found: Any) -> dict[str, Any]:
    return {
        "balance": shown(found.balance),
        "held": shown(found.held),
        "available": shown(found.available),
        "balance_nano": found.balance,
        "held_nano": found.held,
    }


def _grant(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "priority": row.priority,
        "amount": shown(row.amount),
        "remaining": shown(row.remaining),
        "created_at": _time(row.created_at),
        "expires_at": None if row.expires_at is None else _time(row.expires_at),
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
