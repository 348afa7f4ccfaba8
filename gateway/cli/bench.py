"""`gateway bench`: what this gateway costs on this machine, with the config as it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from gateway.cli.options import config_of, json_option

if TYPE_CHECKING:
    from gateway.bench.measure import Figures
    from gateway.bench.run import Result


@click.command()
@click.option(
    "--seconds", type=click.FloatRange(min=0.1), default=2.0, show_default=True, help="Length of each pass."
)
@click.option(
    "--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Passes; the median counts."
)
@click.option(
    "--connections", type=click.IntRange(1, 4000), default=32, show_default=True, help="Calls at a time."
)
@click.option(
    "--rate",
    type=click.FloatRange(min=1),
    default=300.0,
    show_default=True,
    help="Calls per second for the latency passes.",
)
@click.option("--stream/--no-stream", default=True, show_default=True, help="Whether to measure streams too.")
@json_option
@click.pass_context
def bench(
    ctx: click.Context,
    seconds: float,
    rounds: int,
    connections: int,
    rate: float,
    stream: bool,
    as_json: bool,
) -> None:
    """Measure the gateway with the config as it is, on this machine.

    Starts `gateway serve` in a process of its own, with the plugins of the config, a temporary database of the same kind
    and a mock upstream, and loads it. Nothing is sent to real providers, and nothing is written to the real database.
    CPU is user and system time of the gateway's processes. Added latency is the latency through the gateway minus that
    of the mock upstream, at a fixed rate.
    """
    from rich.console import Console

    from gateway.bench.measure import Plan
    from gateway.bench.run import bench as measure

    plan = Plan(seconds=seconds, rounds=rounds, connections=connections, rate=rate, stream=stream)
    config = config_of(ctx)
    with Console(stderr=True).status("measuring") as status:
        result = measure(config, plan, report=status.update)
    if as_json:
        click.echo(json.dumps(result.record(), indent=2))
    else:
        _print(result)


def _print(result: Result) -> None:
    from rich.console import Console
    from rich.table import Table

    figures = result.subject.figures
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("figure", "median", "min … max"):
        table.add_column(heading, justify="left" if heading == "figure" else "right", no_wrap=True)
    rows = [
        ("CPU per request", "cpu_us_per_request", "µs", 1),
        ("requests per second", "requests_per_second", "", 0),
        ("CPU per streamed chunk", "cpu_us_per_chunk", "µs", 1),
        ("CPU per stream of 50 chunks", "cpu_us_per_stream", "µs", 0),
        (f"added latency at {result.plan.rate:g}/s, p50", "added_p50_us", "µs", 0),
        (f"added latency at {result.plan.rate:g}/s, p99", "added_p99_us", "µs", 0),
        ("memory at start", "memory_mb_at_start", "MB", 0),
        ("memory afterwards", "memory_mb_after", "MB", 0),
        ("ready after", "ready_seconds", "s", 2),
    ]
    for title, name, unit, digits in rows:
        table.add_row(title, *_cells(figures, name, unit, digits))
    failed = figures.total("bad") + figures.total("bad_streams")
    table.add_row("failed calls", f"{failed:.0f}", style="red" if failed else "")
    console = Console()
    console.print(table)
    direct = result.direct.figures
    console.print(
        f"\nThe mock upstream alone: p50 {direct.median('p50_us'):.0f} µs, p99 {direct.median('p99_us'):.0f} µs.",
        *(f"Note: {note}." for note in result.notes),
        sep="\n",
        style="dim",
        highlight=False,
        markup=False,
    )


def _cells(figures: Figures, name: str, unit: str, digits: int) -> tuple[str, str]:
    """Median and spread for the table; a dash for what was not measured."""
    median, spread = figures.median(name), figures.spread(name)
    if median is None or spread is None:
        return "—", ""
    shown = f"{median:,.{digits}f} {unit}".strip()
    low, high = (f"{value:,.{digits}f}" for value in spread)
    return shown, f"{low} … {high}" if low != high else ""
