"""Load a gateway for long, with misbehaving clients among the others, and see whether anything grows.

    python benchmarks/soak.py [--requests 10000] [--streams 2000]

Of the requests, 5 % come from clients that vanish, dawdle or send nonsense, 20 % are streams. Prints memory, open files
(sockets among them) and asyncio tasks as it goes, and memory with many streams open. Exits with 1 when something grew.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from misbehave import Target, misbehave
from probed import PATH, Probe
from tools import HERE, tools

from gateway.bench.measure import Meter, Plan, Subject
from gateway.bench.processes import Processes, ask
from gateway.bench.run import gateway, upstream
from gateway.bench.system import LINUX, Cores, memory_mb, open_files, pinned
from gateway.config import Config

PARTS = 10
CONNECTIONS = 32
STREAM_SHARE = 0.2
MISBEHAVING_SHARE = 0.05
QUIET_SECONDS = 20
GROWTH_MB = 3.0
"""What the memory allocator may keep for itself between the third tenth and the last."""
GROWTH_FILES = 8
GROWTH_OF_STREAMS = 0.05
"""By what share memory with many streams may differ from one time to the next."""
ROUNDS_OF_STREAMS = 4
LOOK_SECONDS = 0.5
OPEN_STREAMS_GAP_MS = 400
"""Slow enough that many streams are open at once without the gateway being busy."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What must not grow, at one moment without running calls."""

    memory: float
    files: int
    tasks: int


def main() -> int:
    """Run from the command line; 1 when something grew, or was answered wrongly."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--streams", type=int, default=2_000, help="open at once; 0 leaves that part out")
    parser.add_argument("--config", type=Path, default=HERE / "plugins.toml")
    arguments = parser.parse_args()
    if not LINUX:
        parser.error("memory and open files can be read on Linux only")
    data = tomllib.loads(arguments.config.read_text(encoding="utf-8"))
    return asyncio.run(_soak(data, arguments.requests, arguments.streams))


async def _soak(data: dict[str, Any], requests: int, streams: int) -> int:
    meter = Meter(Plan(), Cores.choose(), tools())
    data["service"] = {**data.get("service", {}), "probe": {}}
    data["gateway"]["upstream"] = {
        **data["gateway"].get("upstream", {}),
        "max_connections": 2 * streams + 1000,
    }
    probed = Config.from_dict(data, extra=(Probe,))
    serve = (sys.executable, str(HERE / "probed.py"))
    wrong: list[str] = []
    for gap_ms, part in ((1, "requests"), (OPEN_STREAMS_GAP_MS, "streams")):
        with (
            tempfile.TemporaryDirectory(prefix="gateway-soak-") as folder,
            Processes(Path(folder)) as processes,
            upstream(meter, processes, gap_ms=gap_ms) as mock,
            gateway(
                probed, core=meter.cores.gateway, upstream_port=mock.port, processes=processes, serve=serve
            ) as (subject, _),
        ):
            if part == "requests":
                wrong += await _requests(meter, subject, requests)
            elif streams:
                wrong += await _open_streams(meter, subject, streams)
    for line in sorted(set(wrong)):
        print(f"WRONG: {line} ({wrong.count(line)} x)")
    return 1 if wrong else 0


async def _requests(meter: Meter, subject: Subject, requests: int) -> list[str]:
    """Send them in tenths and compare what is left after each."""
    target = Target(subject.port, subject.request.read_bytes(), subject.stream.read_bytes())
    each = requests // PARTS
    bad_clients = round(each * MISBEHAVING_SHARE)
    streamed = round(each * STREAM_SHARE)
    wrong: list[str] = []
    samples = [await _quiet(subject)]
    print(f"{'requests':>10} {'memory MB':>10} {'open files':>11} {'tasks':>6} {'seconds':>8}")
    _show(0, samples[-1], 0.0)
    for part in range(1, PARTS + 1):
        began = time.monotonic()
        results = await asyncio.gather(
            misbehave(target, bad_clients, at_once=CONNECTIONS),
            _load(meter, subject.port, subject.request, each - streamed - bad_clients, CONNECTIONS),
            _load(meter, subject.port, subject.stream, streamed, CONNECTIONS),
        )
        wrong += [line for lines in results for line in lines]
        samples.append(await _quiet(subject))
        _show(part * each, samples[-1], time.monotonic() - began)
    settled, last = samples[1:4], samples[-1]
    if last.memory > max(sample.memory for sample in settled) + GROWTH_MB:
        wrong.append("memory grew")
    if last.files > max(sample.files for sample in settled) + GROWTH_FILES:
        wrong.append("open files grew")
    if last.tasks > max(sample.tasks for sample in settled):
        wrong.append("asyncio tasks grew")
    return wrong


async def _open_streams(meter: Meter, subject: Subject, streams: int) -> list[str]:
    """Open many streams at once, several times: the later ones must find room in what the earlier ones left."""
    wrong: list[str] = []
    before = after = await _quiet(subject)
    peaks: list[float] = []
    for _ in range(ROUNDS_OF_STREAMS):
        load = asyncio.create_task(_load(meter, subject.port, subject.stream, streams, streams))
        opened = 0
        peaks.append(0.0)
        while not load.done():
            opened = max(opened, (await _probe(subject))["calls"])
            peaks[-1] = max(peaks[-1], _memory(subject))
            await asyncio.wait((load,), timeout=LOOK_SECONDS)
        wrong += await load
        after = await _quiet(subject)
        each = (peaks[-1] - before.memory) / max(1, opened) * 1024
        print(
            f"{opened:,} streams open: {peaks[-1]:.1f} MB, {each:.1f} KB each; {after.memory:.1f} MB after their end"
        )
        if opened < streams:
            wrong.append(f"only {opened} of {streams} streams were open at once")
    if max(peaks[1:]) > peaks[0] * (1 + GROWTH_OF_STREAMS):
        wrong.append("memory grew from the first time of many streams to a later one")
    if after.tasks > before.tasks:
        wrong.append("asyncio tasks are left of closed streams")
    return wrong


async def _load(meter: Meter, port: int, request: Path, count: int, connections: int) -> list[str]:
    """Run the load generator; say how many answers were not good."""
    argv = [*meter.tools.load, str(port), str(request)]
    argv += ["--connections", str(min(connections, count)), "--count", str(count)]
    with pinned(meter.cores.load):
        process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    result = json.loads(output)
    missing = count - result["requests"]
    return [f"good client: no good answer ({request.suffix[1:]})"] * (result["bad"] + missing)


async def _quiet(subject: Subject) -> Sample:
    """Wait until no call runs and no task ends any more, then look."""
    last, end = -1, time.monotonic() + QUIET_SECONDS
    while time.monotonic() < end:
        counted = await _probe(subject)
        if counted["calls"] == 0 and counted["tasks"] == last:
            break
        last = counted["tasks"]
        await asyncio.sleep(0.3)
    assert subject.pid is not None
    return Sample(_memory(subject), open_files(subject.pid) or 0, last)


async def _probe(subject: Subject) -> dict[str, int]:
    request = f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
    _, body = await asyncio.to_thread(ask, subject.port, request)
    return json.loads(body)


def _memory(subject: Subject) -> float:
    assert subject.pid is not None
    return memory_mb(subject.pid) or 0.0


def _show(requests: int, sample: Sample, seconds: float) -> None:
    print(
        f"{requests:>10,} {sample.memory:>10.1f} {sample.files:>11} {sample.tasks:>6} {seconds:>8.1f}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
