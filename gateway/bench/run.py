"""Measure one gateway: the operator's config in a process of its own, between the load generator and the mock upstream."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway import __version__
from gateway.bench import payload
from gateway.bench.derive import MODEL, derive
from gateway.bench.measure import Meter, Plan, Subject
from gateway.bench.processes import Processes, free_port
from gateway.bench.scratch import scratch_database
from gateway.bench.system import LINUX, Cores
from gateway.errors import GatewayError

if TYPE_CHECKING:
    from gateway.config import Config

GATEWAY = (sys.executable, "-m", "gateway")
STREAM_GAP_MS = 10


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured, and under which conditions."""

    subject: Subject
    direct: Subject
    """The mock upstream, asked without a gateway."""
    plan: Plan
    cores: Cores
    notes: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """Everything for a program. Times are in microseconds unless the name says otherwise, memory in 2²⁰ bytes."""
        return {
            "gateway": __version__,
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.release()} {platform.machine()}",
            "cores": {"gateway": self.cores.gateway, "mock": self.cores.mock, "load": self.cores.load},
            "seconds": self.plan.seconds,
            "rounds": self.plan.rounds,
            "connections": self.plan.connections,
            "rate": self.plan.rate,
            "figures": self.subject.figures.record(),
            "direct": self.direct.figures.record(),
            "notes": list(self.notes),
        }


@contextmanager
def upstream(meter: Meter, processes: Processes, *, gap_ms: int = STREAM_GAP_MS) -> Generator[Subject]:
    """Run the mock upstream, with that time between the events of a stream."""
    argv = [*meter.tools.mock, "--port", "0", "--gap", str(gap_ms)]
    process = processes.start("mock", argv, core=meter.cores.mock)
    port = int(processes.printed("mock", process))
    yield subject("mock", port, processes.folder, model="gpt-4o-mini")


def subject(
    name: str, port: int, folder: Path, *, model: str, key: str | None = None, headers: tuple[str, ...] = ()
) -> Subject:
    """Describe a server, and write down the requests that it will get."""
    files = (folder / f"{name}.request", folder / f"{name}.stream")
    for file, stream in zip(files, (False, True), strict=True):
        body = payload.chat(model, stream=stream)
        file.write_bytes(payload.request(body, key=key, headers=headers))
    return Subject(name, port, *files)


@contextmanager
def gateway(
    config: Config,
    *,
    core: int | None,
    upstream_port: int,
    processes: Processes,
    serve: Sequence[str] = (*GATEWAY, "serve"),
) -> Generator[tuple[Subject, tuple[str, ...]]]:
    """Run a gateway on the derived config until the block ends; give it and what differs from the config.

    `serve` is called with `-c`, `--port` and `--log-level`, as `gateway serve` is.
    """
    name = "gateway"
    folder = processes.folder
    with scratch_database(config.settings.database.reveal(), folder) as database:
        derived = derive(config, database=database, upstream=f"http://127.0.0.1:{upstream_port}/v1")
        file = folder / f"{name}.toml"
        file.write_text(derived.text, encoding="utf-8")
        key = _create_key(file) if derived.needs_key else None
        found = subject(name, free_port(), folder, model=MODEL, key=key)
        began = time.monotonic()
        argv = [*serve, "-c", str(file), "--port", str(found.port), "--log-level", "warning"]
        process = processes.start(name, argv, core=core)
        processes.answered(name, process, found.port, found.request.read_bytes())
        found.figures.add("ready_seconds", time.monotonic() - began)
        found.pid = process.pid
        try:
            yield found, derived.notes
        finally:
            processes.stop(process)


def _create_key(file: Path) -> str:
    argv = [*GATEWAY, "keys", "create", "-c", str(file), "--name", "bench", "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - our own program
    if done.returncode != 0:
        raise GatewayError(f"No API key for measuring could be made: {done.stderr.strip()}")
    return json.loads(done.stdout)["key"]


def bench(config: Config, plan: Plan, *, report: Callable[[str], None]) -> Result:
    """Measure the config. `report` is told what is being done."""
    meter = Meter(plan, Cores.choose())
    with (
        tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder,
        Processes(Path(folder)) as processes,
        upstream(meter, processes) as direct,
    ):
        report("starting the gateway")
        with gateway(config, core=meter.cores.gateway, upstream_port=direct.port, processes=processes) as (
            found,
            notes,
        ):
            meter.memory(found, "memory_mb_at_start")
            report("warming up")
            meter.warm_up(found)
            for number in range(1, plan.rounds + 1):
                part = f"round {number} of {plan.rounds}"
                report(f"{part}: whole answers, {plan.connections} at a time")
                meter.requests(found)
                if plan.stream:
                    report(f"{part}: streams")
                    meter.streams(found)
                report(f"{part}: {plan.rate:g} requests a second")
                meter.latency(found, direct)
            meter.memory(found, "memory_mb_after")
            return Result(found, direct, plan, meter.cores, (*_conditions(meter.cores), *notes))


def _conditions(cores: Cores) -> tuple[str, ...]:
    if not LINUX:
        return ("CPU and memory can be measured on Linux only: those figures are missing",)
    if cores.gateway is None:
        return (
            "one core for everything: throughput and latency hold the load generator's and the mock's share",
        )
    if cores.mock == cores.load:
        return ("the mock upstream and the load generator share a core",)
    return ()
