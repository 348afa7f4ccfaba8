"""How quickly a gateway starts.

    python benchmarks/start.py [--runs 5]

Prints the time of `import gateway`, of `import gateway.app`, of `gateway --help`, the time from the start of
`gateway serve` to its first good answer, and its memory then. The database exists and is up to date, as in a restart.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools import HERE, tools

from gateway.bench.measure import Meter, Plan
from gateway.bench.processes import Processes
from gateway.bench.run import GATEWAY, gateway, upstream
from gateway.bench.system import Cores, memory_mb, pinned
from gateway.config import Config

COMMANDS = {
    "python": (sys.executable, "-c", ""),
    "import gateway": (sys.executable, "-c", "import gateway"),
    "import gateway.app": (sys.executable, "-c", "import gateway.app"),
    "gateway --help": (*GATEWAY, "--help"),
}


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--config", type=Path, default=HERE / "plugins.toml")
    arguments = parser.parse_args()
    cores = Cores.choose()
    for name, argv in COMMANDS.items():
        with pinned(cores.gateway):
            _show(name, [_seconds(argv) for _ in range(arguments.runs)], "s", 3)
    ready: list[float] = []
    memory: list[float] = []
    config = Config.from_file(arguments.config)
    meter = Meter(Plan(), cores, tools())
    for _ in range(arguments.runs):
        with (
            tempfile.TemporaryDirectory(prefix="gateway-start-") as folder,
            Processes(Path(folder)) as processes,
            upstream(meter, processes) as mock,
            gateway(config, core=cores.gateway, upstream_port=mock.port, processes=processes) as (subject, _),
        ):
            assert subject.pid is not None
            ready.append(subject.figures.median("ready_seconds") or 0.0)
            memory.append(memory_mb(subject.pid) or 0.0)
    _show("gateway serve, first good answer", ready, "s", 3)
    _show("memory at the first answer", memory, "MB", 1)
    return 0


def _seconds(argv: tuple[str, ...]) -> float:
    began = time.monotonic()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, cwd=HERE)
    return time.monotonic() - began


def _show(name: str, values: list[float], unit: str, digits: int) -> None:
    median = statistics.median(values)
    print(f"{name:34} {median:8.{digits}f} {unit:2}   {min(values):.{digits}f} … {max(values):.{digits}f}")


if __name__ == "__main__":
    sys.exit(main())
