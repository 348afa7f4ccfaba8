"""Passes of load, and the figures they give."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.bench.payload import EVENTS
from gateway.bench.system import Cores, cpu_seconds, memory_mb, pinned
from gateway.errors import GatewayError

WARM_UP_SECONDS = 1.0
OPEN_LOOP_CONNECTIONS = 128
_SLACK_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Plan:
    """How to measure."""

    seconds: float = 2.0
    """Of each pass."""
    rounds: int = 3
    connections: int = 32
    rate: float = 300.0
    """Requests per second of the passes that measure latency."""
    stream: bool = True


@dataclass(frozen=True, slots=True)
class Tools:
    """Command lines of the mock upstream and of the load generator; both take the options of the bundled ones."""

    mock: Sequence[str] = (sys.executable, "-m", "gateway.bench.mock")
    load: Sequence[str] = (sys.executable, "-m", "gateway.bench.load")


class Figures:
    """Values by name, one for each round."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = defaultdict(list)

    def add(self, name: str, value: float | None) -> None:
        """Note the value of one round; None means that it cannot be measured here."""
        if value is not None:
            self._values[name].append(value)

    def median(self, name: str) -> float | None:
        """The median of the rounds; None when there is no value."""
        return statistics.median(self._values[name]) if self._values.get(name) else None

    def total(self, name: str) -> float:
        """The sum of the rounds."""
        return sum(self._values.get(name, ()))

    def spread(self, name: str) -> tuple[float, float] | None:
        """Smallest and largest value; None when there is no value."""
        values = self._values.get(name)
        return (min(values), max(values)) if values else None

    def record(self) -> dict[str, Any]:
        """All figures for a program: median, min and max of each."""
        return {
            name: {"median": self.median(name), "min": min(values), "max": max(values)}
            for name, values in self._values.items()
            if values
        }


@dataclass(slots=True)
class Subject:
    """A server under measurement."""

    name: str
    port: int
    request: Path
    stream: Path
    pid: int | None = None
    """None when its CPU and memory do not matter."""
    figures: Figures = field(default_factory=Figures)


@dataclass(frozen=True, slots=True)
class Meter:
    """Runs passes of load against subjects and notes what they cost."""

    plan: Plan
    cores: Cores
    tools: Tools = field(default_factory=Tools)

    def warm_up(self, subject: Subject) -> None:
        """Fill caches and connection pools."""
        self._load(subject.port, subject.request, self.plan.connections, WARM_UP_SECONDS)

    def requests(self, subject: Subject) -> None:
        """One closed-loop pass of whole answers: CPU per request and throughput."""
        result, spent = self._costed(subject, subject.request, self.plan.connections)
        subject.figures.add("bad", result["bad"])
        figures = subject.figures
        figures.add("cpu_us_per_request", _each(spent, result["requests"]))
        figures.add("requests_per_second", result["per_second"])
        figures.add("core", spent / result["seconds"] if spent is not None else None)

    def streams(self, subject: Subject) -> None:
        """One closed-loop pass of streamed answers: CPU per stream and per event, time to the first event."""
        result, spent = self._costed(subject, subject.stream, self.plan.connections)
        figures = subject.figures
        figures.add("bad_streams", result["bad"])
        figures.add("cpu_us_per_stream", _each(spent, result["requests"]))
        figures.add("cpu_us_per_chunk", _each(spent, result["requests"] * EVENTS))
        figures.add("chunks_per_second", result["per_second"] * EVENTS)
        figures.add("stream_first_byte_p50_us", result["first_byte_p50_us"])
        figures.add("stream_first_byte_p99_us", result["first_byte_p99_us"])

    def latency(self, subject: Subject, direct: Subject) -> None:
        """One open-loop pass, and the same on the mock itself: the difference is what the subject adds."""
        alone = self._paced(direct)
        through = self._paced(subject)
        subject.figures.add("added_p50_us", through["p50_us"] - alone["p50_us"])
        subject.figures.add("added_p99_us", through["p99_us"] - alone["p99_us"])

    def _paced(self, subject: Subject) -> dict[str, Any]:
        plan = self.plan
        result = self._load(
            subject.port, subject.request, OPEN_LOOP_CONNECTIONS, plan.seconds, rate=plan.rate
        )
        for name in ("bad", "p50_us", "p99_us"):
            subject.figures.add(name, result[name])
        return result

    def memory(self, subject: Subject, name: str) -> None:
        """Note the resident memory."""
        if subject.pid is not None:
            subject.figures.add(name, memory_mb(subject.pid))

    def _costed(
        self, subject: Subject, request: Path, connections: int
    ) -> tuple[dict[str, Any], float | None]:
        before = cpu_seconds(subject.pid) if subject.pid is not None else None
        result = self._load(subject.port, request, connections, self.plan.seconds)
        after = cpu_seconds(subject.pid) if subject.pid is not None else None
        return result, after - before if after is not None and before is not None else None

    def _load(
        self, port: int, request: Path, connections: int, seconds: float, *, rate: float = 0.0
    ) -> dict[str, Any]:
        options = {"connections": connections, "seconds": seconds, "rate": rate}
        argv = [*self.tools.load, str(port), str(request)]
        argv += [text for name, value in options.items() for text in (f"--{name}", str(value))]
        began = time.monotonic()
        with pinned(self.cores.load):
            done = subprocess.run(  # noqa: S603 - our own program
                argv, capture_output=True, text=True, timeout=seconds + _SLACK_SECONDS, check=False
            )
        if done.returncode != 0:
            took = time.monotonic() - began
            raise GatewayError(f"The load generator failed after {took:.1f} s: {done.stderr.strip()[-500:]}")
        return json.loads(done.stdout)


def _each(seconds: float | None, count: float) -> float | None:
    """Microseconds for each of so many; None when there is nothing to divide."""
    return seconds / count * 1e6 if seconds is not None and count else None
