"""Compare this gateway with others, side by side in one run.

    python benchmarks/compare.py [--install] [--only nginx,gateway] [--stream] [--json FILE] [--markdown FILE]

All servers run at once on one core and are visited in turn, so that a machine whose speed drifts hits them alike. One mock
upstream and one load generator on the other cores serve them all. See README.md for how to read the table.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from peers import ALL, KEY, Peer
from tools import HERE, tools

from gateway import __version__
from gateway.bench.measure import Figures, Meter, Plan, Subject
from gateway.bench.processes import Processes, free_port
from gateway.bench.run import gateway, subject, upstream
from gateway.bench.system import Cores
from gateway.config import Config
from gateway.errors import GatewayError

OURS = "gateway"
BASELINE = "nginx"
HEADROOM = 1.5
"""Latency is measured only of servers that can do so many times the rate; the others would show their queue."""


def main() -> int:
    """Run from the command line; 1 when nothing could be measured."""
    arguments = _arguments()
    plan = Plan(
        arguments.seconds, arguments.rounds, arguments.connections, arguments.rate, stream=arguments.stream
    )
    meter = Meter(plan, Cores.choose(), tools())
    versions: dict[str, str] = {}
    absent: dict[str, str] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-compare-")))
        processes = stack.enter_context(Processes(folder))
        mock = stack.enter_context(upstream(meter, processes))
        subjects = list(_started(arguments, meter, mock, processes, stack, versions, absent))
        for each in subjects:
            meter.memory(each, "memory_mb_at_start")
            meter.warm_up(each)
        for number in range(1, plan.rounds + 1):
            for each in subjects:
                _say(f"round {number} of {plan.rounds}: {each.name}")
                _visit(meter, each, mock)
        for each in subjects:
            meter.memory(each, "memory_mb_after")
    table = _markdown(subjects, mock, plan, versions, absent)
    sys.stdout.write(table)
    if arguments.markdown:
        arguments.markdown.write_text(table, encoding="utf-8")
    if arguments.json:
        record = {each.name: {"version": versions[each.name], **each.figures.record()} for each in subjects}
        arguments.json.write_text(json.dumps({"servers": record, "absent": absent}, indent=2))
    return 0 if subjects else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--install", action="store_true", help="install the peers under benchmarks/peers")
    parser.add_argument("--only", default="", help="names, separated by commas")
    parser.add_argument("--config", type=Path, default=HERE / "plugins.toml", help="of our gateway")
    parser.add_argument("--stream", action="store_true", help="measure streams too")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each pass")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rate", type=float, default=300.0, help="requests per second of the latency passes")
    parser.add_argument("--json", type=Path, help="write all figures to a file")
    parser.add_argument("--markdown", type=Path, help="write the table to a file")
    return parser.parse_args()


def _started(
    arguments: argparse.Namespace,
    meter: Meter,
    mock: Subject,
    processes: Processes,
    stack: ExitStack,
    versions: dict[str, str],
    absent: dict[str, str],
) -> Iterator[Subject]:
    """Start what was asked for; note versions, and why something is missing."""
    names = arguments.only.split(",") if arguments.only else [OURS, *(peer.name for peer in ALL)]
    for peer in (kind() for kind in ALL if kind.name in names):
        _say(f"starting {peer.name}")
        try:
            if arguments.install:
                peer.install()
            versions[peer.name] = peer.version()
            yield _start(peer, mock, meter, processes)
        except (GatewayError, OSError, subprocess.CalledProcessError) as error:
            absent[peer.name] = str(error).strip().splitlines()[-1]
            _say(f"{peer.name}: {error}")
    if OURS in names:
        _say(f"starting {OURS}")
        config = Config.from_file(arguments.config)
        ours, _ = stack.enter_context(
            gateway(config, core=meter.cores.gateway, upstream_port=mock.port, processes=processes)
        )
        versions[OURS] = __version__
        yield ours


def _start(peer: Peer, mock: Subject, meter: Meter, processes: Processes) -> Subject:
    port = free_port()
    scratch = processes.folder / f"{peer.name}.files"
    scratch.mkdir()
    argv = peer.argv(port, mock.port, scratch)
    found = subject(peer.name, port, processes.folder, model=peer.model, key=KEY, headers=peer.headers)
    began = time.monotonic()
    process = processes.start(peer.name, argv, core=meter.cores.gateway)
    processes.answered(peer.name, process, port, found.request.read_bytes())
    found.figures.add("ready_seconds", time.monotonic() - began)
    found.pid = process.pid
    return found


def _visit(meter: Meter, each: Subject, mock: Subject) -> None:
    meter.requests(each)
    if (each.figures.median("requests_per_second") or 0) >= HEADROOM * meter.plan.rate:
        meter.latency(each, mock)
    if meter.plan.stream:
        meter.streams(each)


def _markdown(
    subjects: list[Subject], mock: Subject, plan: Plan, versions: dict[str, str], absent: dict[str, str]
) -> str:
    baseline = next(
        (each.figures.median("cpu_us_per_request") for each in subjects if each.name == BASELINE), None
    )
    heads = [
        "",
        "version",
        "CPU µs/request",
        f"{BASELINE} = 1",
        "requests/s",
        f"added p50 µs at {plan.rate:g}/s",
        "added p99 µs",
    ]
    heads += ["CPU µs/chunk", "first byte p50 ms"] if plan.stream else []
    heads += ["MB at start", "MB after", "ready s", "failed"]
    lines = ["| " + " | ".join(heads) + " |", "|---|---|" + "---:|" * (len(heads) - 2)]
    for each in sorted(subjects, key=lambda one: one.figures.median("cpu_us_per_request") or 0):
        figures = each.figures
        cpu = figures.median("cpu_us_per_request")
        cells = [each.name, versions[each.name], _spread(figures, "cpu_us_per_request", 0)]
        cells.append(f"{cpu / baseline:.1f}" if cpu and baseline else "—")
        cells += [_cell(figures, name, 0) for name in ("requests_per_second", "added_p50_us", "added_p99_us")]
        if plan.stream:
            works = not figures.total("bad_streams")
            cells.append(_spread(figures, "cpu_us_per_chunk", 1) if works else "fails")
            cells.append(_cell(figures, "stream_first_byte_p50_us", 1, scale=1e-3) if works else "—")
        cells += [_cell(figures, name, 0) for name in ("memory_mb_at_start", "memory_mb_after")]
        cells += [
            _cell(figures, "ready_seconds", 2),
            f"{figures.total('bad') + figures.total('bad_streams'):.0f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    if (p50 := mock.figures.median("p50_us")) is not None:
        lines += [
            "",
            f"The mock upstream alone at {plan.rate:g}/s: p50 {p50:.0f} µs, p99 {mock.figures.median('p99_us'):.0f} µs.",
        ]
    lines += ["", *(f"- {name} is missing: {reason}" for name, reason in absent.items())]
    return "\n".join(lines).rstrip() + "\n"


def _spread(figures: Figures, name: str, digits: int) -> str:
    median, spread = figures.median(name), figures.spread(name)
    if median is None or spread is None:
        return "—"
    return f"{median:,.{digits}f} ({spread[0]:,.{digits}f}…{spread[1]:,.{digits}f})"


def _cell(figures: Figures, name: str, digits: int, *, scale: float = 1.0) -> str:
    median = figures.median(name)
    return "—" if median is None else f"{median * scale:,.{digits}f}"


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
