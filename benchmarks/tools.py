"""The mock upstream and the load generator: in C where there is a compiler, else the bundled Python ones."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from gateway.bench import payload
from gateway.bench.measure import Tools

HERE = Path(__file__).resolve().parent
BUILD = HERE / "build"
"""Git-ignored."""


def tools() -> Tools:
    """Compile what is older than its source; the same options and answers either way."""
    compiler = shutil.which("cc")
    if compiler is None:
        return Tools()
    BUILD.mkdir(exist_ok=True)
    for name in ("mock", "load"):
        source, program = HERE / f"{name}.c", BUILD / name
        if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
            subprocess.run([compiler, "-O2", "-Wall", "-o", program, source], check=True)
    records = [payload.answer(), payload.stream_head(), *payload.stream_frames()]
    answers = BUILD / "payload"
    answers.write_bytes(b"".join(b"%d\n%b" % (len(record), record) for record in records))
    return Tools(mock=(str(BUILD / "mock"), "--payload", str(answers)), load=(str(BUILD / "load"),))
