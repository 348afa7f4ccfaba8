"""`gateway stripe`: how things stand, catching up, and paying back. The gateway need not run."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import click
import msgspec

from gateway.commands import run_on
from gateway.errors import GatewayError
from gateway_stripe import sync as work
from gateway_stripe.config import shown
from gateway_stripe.office import Office
from gateway_stripe.sender import NotAtStripe

T = TypeVar("T")

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def commands(office: Office) -> click.Group:
    """The group of commands, for one instance of the plugin."""

    @click.group()
    def stripe() -> None:
        """Catch up with Stripe: orders, subscriptions, events and usage."""

    @stripe.command()
    @_json
    def status(as_json: bool) -> None:
        """Count orders and events, and name what needs a person. Exits with 1 when something does."""
        found = _run(office, lambda: work.status(office))
        _print_status(found, as_json=as_json)
        if found["refused_events"] or found["stuck_meter_events"]:
            raise SystemExit(1)

    @stripe.command()
    @click.option(
        "--days",
        type=click.FloatRange(0),
        default=30,
        show_default=True,
        help="Look up orders of so many days.",
    )
    @click.option(
        "--backfill-days",
        type=click.FloatRange(0, 34),
        help="Report calls of so many days that were never metered, of who is a customer now.",
    )
    @_json
    def sync(days: float, backfill_days: float | None, as_json: bool) -> None:
        """Catch up with Stripe, and send what usage is left. Looks up orders, refunds, disputes and subscriptions there."""
        report = _run(office, lambda: _caught_up(office, days, backfill_days))
        if as_json:
            click.echo(msgspec.json.encode(report).decode())
        else:
            click.echo(
                f"{report.orders} orders, {report.subscriptions} subscriptions, {report.meter_events} meter events."
            )
            for problem in report.problems:
                click.echo(problem, err=True)
        if report.problems:
            raise SystemExit(1)

    @stripe.command()
    @click.option(
        "--hours",
        type=click.FloatRange(0, 720),
        default=72,
        show_default=True,
        help="Ask for events of so many hours.",
    )
    @click.option("--again", is_flag=True, help="Also what was handled; nothing is credited twice.")
    @_json
    def replay(hours: float, again: bool, as_json: bool) -> None:
        """Handle the events that Stripe lists and that did not arrive."""
        since = time.time() - hours * 3600
        found = _run(office, lambda: work.replay(office, since=since, again=again))
        counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(found.items()))
        click.echo(json.dumps(found) if as_json else f"{counts or 'No events'}.")

    @stripe.command()
    @click.argument("order")
    @click.option(
        "--amount", type=click.IntRange(1), help="A part, in the currency's smallest unit; else all of it."
    )
    def refund(order: str, amount: int | None) -> None:
        """Pay ORDER back; its credits are taken back in proportion."""
        found = _run(office, lambda: work.refund(office, order, amount))
        click.echo(f"Paid back. {shown(found.reversed)} credits of {found.id} are taken back.")

    return stripe


async def _caught_up(office: Office, days: float, backfill_days: float | None) -> work.Report:
    office.require_book()
    return await work.sync(office, days=days, backfill_days=backfill_days)


def _run(office: Office, do: Callable[[], Awaitable[T]]) -> T:
    async def run() -> T:
        try:
            return await do()
        except NotAtStripe as error:
            raise GatewayError(str(error)) from error
        finally:
            await office.context.client.close()

    return run_on(office.database, run, office.context.migrations())


def _print_status(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found))
        return
    for what in ("orders", "events", "meter_events"):
        counts = ", ".join(f"{count} {name}" for name, count in sorted(found[what].items()))
        click.echo(f"{what.replace('_', ' ')}: {counts or 'none'}")
    last = found["last_event_at"]
    if last is not None:
        click.echo(f"last event: {datetime.fromtimestamp(last, UTC):%Y-%m-%d %H:%M:%S} UTC")
    for event in found["refused_events"]:
        click.echo(f"refused: {event['type']} {event['object']} ({event['id']}): {event['problem']}")
    for event in found["stuck_meter_events"]:
        click.echo(
            f"not sent: {event['units']} units of {event['tenant']} ({event['id']}, {event['status']}): "
            f"{event['problem'] or 'see the README'}"
        )
