"""`gateway events`: settled calls on their way to sinks. Works on the database, so the gateway may run or not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click
from msgspec.structs import asdict

from gateway.cli.options import json_option, registry_of
from gateway.cli.times import Moment, rfc3339
from gateway.cli.work import on_database
from gateway.commands import command_actor
from gateway.errors import GatewayError
from gateway.shown import print_rows

if TYPE_CHECKING:
    from gateway.store.sinks import DeadLetter, SinkState


@click.group()
def events() -> None:
    """Show how far sinks have come, list dead letters, send calls again."""


@events.command()
@json_option
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Show what waits for each sink, and its last error. With --json one object per line."""
    from gateway.store.sinks import states

    configured = _configured(ctx)
    found = on_database(ctx, lambda database: states(database, configured))
    rows = [_state(state, configured, as_json=as_json) for state in found]
    print_rows(rows, as_json=as_json, none="No sinks: enable one as a table [sink.NAME] in the config.")


@events.command()
@click.option("--sink", help="Only those of this sink.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many at most.")
@json_option
@click.pass_context
def dead(ctx: click.Context, sink: str | None, limit: int, as_json: bool) -> None:
    """List calls that a sink will not take, the newest first. With --json one object per line."""
    from gateway.store.sinks import letters

    found = on_database(ctx, lambda database: letters(database, sink=sink, limit=limit))
    print_rows([_letter(letter) for letter in found], as_json=as_json, none="No dead letters.")


@events.command()
@click.argument("sink")
@click.option("--dead", "dead_ones", is_flag=True, help="Those that it would not take.")
@click.option("--id", "ids", multiple=True, help="The call of this id; may be repeated.")
@click.option(
    "--since", type=Moment(future=False), help="Calls that ended since then: 1h, 7d or an ISO time."
)
@click.option("--until", type=Moment(future=False), help="And before then.  [default: now]")
@click.pass_context
def replay(
    ctx: click.Context,
    sink: str,
    dead_ones: bool,
    ids: tuple[str, ...],
    since: float | None,
    until: float | None,
) -> None:
    """Send settled calls to a sink again. They are its dead letters, or named by id, or all of a period.

    Events keep their ids, by which the far side tells that it has them.
    """
    from gateway.store.sinks import replay_calls, replay_dead, replay_period

    if [dead_ones, bool(ids), since is not None].count(True) != 1:
        raise click.UsageError("say which calls: --dead, --id ID or --since TIME")
    if until is not None and since is None:
        raise click.UsageError("--until goes with --since")
    known = _configured(ctx)
    if sink not in known:
        raise GatewayError(f"No sink is called '{sink}'. There are: {', '.join(sorted(known)) or 'none'}.")
    actor = command_actor()
    if dead_ones:
        count = on_database(ctx, lambda database: replay_dead(database, sink, actor))
    elif since is None:
        count = on_database(ctx, lambda database: replay_calls(database, sink, ids, actor))
    else:
        end = time.time() if until is None else until
        count = on_database(ctx, lambda database: replay_period(database, sink, since, end, actor))
    click.echo(f"{count} {'call goes' if count == 1 else 'calls go'} to {sink} again.")


def _configured(ctx: click.Context) -> set[str]:
    return {sink.name for sink in registry_of(ctx).facade.sinks()}


def _state(state: SinkState, configured: set[str], *, as_json: bool) -> dict[str, Any]:
    row = asdict(state)
    row |= {name: rfc3339(row[name]) for name in ("delivered_at", "failed_at")}
    if as_json:
        return {**row, "lag": round(state.lag, 3), "configured": state.sink in configured}
    return {  # with the time of day, which matters here
        "sink": state.sink if state.sink in configured else f"{state.sink} (not configured)",
        "waiting": str(state.waiting),
        "lag": f"{state.lag:.0f} s",
        "dead": str(state.dead),
        "delivered": f"{state.delivered}",
        "last delivery": row["delivered_at"],
        "last failure": row["failed_at"],
        "error": state.error,
    }


def _letter(letter: DeadLetter) -> dict[str, Any]:
    row = asdict(letter)
    return {**row, "died_at": rfc3339(letter.died_at)}
