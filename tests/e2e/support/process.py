"""The real command line as a child process: `gateway serve` and the commands beside it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx2

from ... import scratch
from ...commands.process import Process, run, start
from ...ports import free_port

T = TypeVar("T")

COMMAND = [sys.executable, "-m", "gateway"]
READY_SECONDS = 30.0
FAULTS = re.compile(
    r"Traceback|never retrieved|never awaited|Exception ignored|ResourceWarning|without completing response"
)
"""What a healthy gateway never writes to its log."""


def until(condition: Callable[[], T], seconds: float = 30.0, every: float = 0.02) -> T:
    """Wait until `condition` gives something true, and return that. Fails the test when it does not in time."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {seconds} s; last: {value!r}"
        time.sleep(every)
    return value


def environment(**more: str) -> dict[str, str]:
    """Make an environment without anybody's credentials or proxies in it."""
    here = os.environ  # noqa: TID251 - a child needs some of what this process has
    kept = {name: here[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in here}
    return {**kept, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", **more}


class Deployment:
    """A folder with a plugins.toml, and the commands that run on it."""

    def __init__(
        self, folder: Path, config: str, *, cold: bool = False, pythonpath: Path | None = None
    ) -> None:
        self.folder = folder
        self.cold = cold
        """Whether each of its processes begins with nothing, as a user's; others are forked, and spare the imports."""
        self.file = folder / "plugins.toml"
        self.file.write_text(config, encoding="utf-8")
        self.port = free_port()
        self.log = folder / "gateway.log"
        self.process: subprocess.Popen[bytes] | Process | None = None
        self.environment = environment(**({"PYTHONPATH": str(pythonpath)} if pythonpath else {}))

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def running(self) -> subprocess.Popen[bytes] | Process:
        """The server's process."""
        assert self.process is not None
        return self.process

    def start(self, *options: str, ready: bool = True) -> Self:
        """Start `gateway serve`, and wait until it is ready."""
        arguments = ["-c", str(self.file), "serve", "--port", str(self.port), *options]
        with self.log.open("ab") as log:
            if self.cold:
                self.process = subprocess.Popen(
                    [*COMMAND, *arguments],
                    cwd=self.folder,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            else:
                self.process = start(arguments, cwd=self.folder, env=self.environment, output=log)
        if ready:
            until(self.is_ready, READY_SECONDS)
        return self

    def is_ready(self) -> bool:
        """Ask /readyz; fails when the process has ended instead."""
        code = self.running.poll()
        assert code is None, f"gateway serve ended with {code}:\n{self.text()}"
        with contextlib.suppress(httpx2.TransportError):
            return httpx2.get(f"{self.url}/readyz", timeout=5).status_code == 200
        return False

    def text(self) -> str:
        """What it wrote to stdout and stderr so far."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def stop(self, seconds: float = 40.0) -> int:
        """Send SIGTERM, and return the exit code."""
        if self.running.poll() is None:
            self.running.send_signal(signal.SIGTERM)
        return self.running.wait(seconds)

    def kill(self) -> None:
        """Send SIGKILL to the server and everything it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.running.pid, signal.SIGKILL)
        self.running.wait(30)
        until(self.is_gone)

    def is_gone(self) -> bool:
        """See whether the last worker has let go of the port, too."""
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", self.port))
                return True
        return False

    def command(self, *arguments: str, code: int | None = 0, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command on this config; `code` is the exit code it must have, None for any."""
        given = ["-c", str(self.file), *arguments]
        env = {**self.environment, **env}
        if self.cold:
            done = subprocess.run(
                [*COMMAND, *given],
                cwd=self.folder,
                env=env,
                capture_output=True,
                text=True,
                timeout=100,
                check=False,
            )
        else:
            done = run(given, cwd=self.folder, env=env)
        if code is not None:
            assert done.returncode == code, (
                f"{arguments} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
            )
        return done

    def key(self, *options: str, name: str = "test") -> dict[str, Any]:
        """Create an API key; `id` and `key` are in it."""
        return json.loads(self.command("keys", "create", "--name", name, "--json", *options).stdout)

    def calls(self, *options: str) -> list[dict[str, Any]]:
        """List the ledger, newest first."""
        output = self.command("calls", "--json", "--limit", "100000", *options).stdout
        return [json.loads(line) for line in output.splitlines()]

    def settled(self, *options: str) -> list[dict[str, Any]]:
        """List the ledger once there is something in it, and all of it is settled: that follows the answer."""

        def rows() -> list[dict[str, Any]]:
            found = self.calls(*options)
            return [] if any(row["status"] == "processing" for row in found) else found

        return until(rows)

    def call(self, client_request_id: str) -> dict[str, Any]:
        """Get the one ledger row of a client's request id, once it is settled."""
        (row,) = self.settled("--client-request-id", client_request_id)
        return row

    def row(self, client_request_id: str) -> dict[str, Any]:
        """Get the one ledger row of a client's request id straight from SQLite, once it is settled."""

        def settled() -> dict[str, Any]:
            found = self._row(client_request_id)
            return {} if found.get("status") == "processing" else found

        return until(settled)

    def begun(self, client_request_id: str) -> None:
        """Wait until a call has a row in SQLite, settled or not."""
        until(lambda: self._row(client_request_id))

    def _row(self, client_request_id: str) -> dict[str, Any]:
        with contextlib.closing(sqlite3.connect(self.folder / "gateway.db", timeout=10)) as database:
            database.row_factory = sqlite3.Row
            found = database.execute(
                "SELECT * FROM model_calls WHERE client_request_id = ?", (client_request_id,)
            ).fetchall()
        assert len(found) <= 1
        return dict(found[0]) if found else {}

    def processes(self) -> list[int]:
        """The pids of the server and of all its descendants."""
        found = [self.running.pid]
        for pid in found:
            with contextlib.suppress(OSError):  # it has just ended
                for task in Path(f"/proc/{pid}/task").glob("*/children"):
                    found += [int(child) for child in task.read_text().split()]
        return found

    def workers(self) -> list[int]:
        """Wait until two workers run beside their supervisor, and return their pids."""
        until(lambda: len(self.processes()) >= 3)
        return self.processes()[1:]

    def memory(self) -> int:
        """Resident memory of the server process in bytes."""
        status = Path(f"/proc/{self.running.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def open_files(self) -> int:
        """How many files and sockets the server process holds open."""
        return len(list(Path(f"/proc/{self.running.pid}/fd").iterdir()))


@contextlib.contextmanager
def deployment(
    folder: Path,
    config: str,
    *options: str,
    start: bool = True,
    tables: bool = True,
    faults: bool = False,
    cold: bool = False,
    pythonpath: Path | None = None,
) -> Generator[Deployment]:
    """Serve a config for the length of a block. Afterwards it must stop with 0, and its log must hold no fault.

    `gateway.db` has the core's tables already, unless they are for this start to make.
    """
    if tables:
        scratch.sqlite(folder)
    served = Deployment(folder, config, cold=cold, pythonpath=pythonpath)
    try:
        if start:
            served.start(*options)
        yield served
        if served.process is not None and served.process.poll() is None:
            assert served.stop() == 0, served.text()
        if not faults:
            assert not FAULTS.search(served.text()), served.text()
    finally:
        if served.process is not None and served.process.poll() is None:
            served.kill()
        shutil.rmtree(folder, ignore_errors=True)
