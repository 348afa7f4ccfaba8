"""`gateway` as a child process, real in all but one thing: it is forked from a process that has imported it already.

Imports are most of what a command does. `start` and `run` take all that `python -m gateway` takes.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO


class Process:
    """A command that runs; as `subprocess.Popen`, in what tests use of it."""

    def __init__(self, arguments: Sequence[str], told: socket.socket) -> None:
        self.args = arguments
        self.returncode: int | None = None
        self._lock = threading.Lock()
        self._told = told.makefile("rb")
        self._socket = told
        self.pid = int(self._told.readline())

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the exit code: negative for the signal that killed it. Raises `TimeoutExpired`."""
        with self._lock:
            if self.returncode is None:
                readable = _wait_readable(self._socket, timeout)
                if not readable:
                    raise subprocess.TimeoutExpired(self.args, timeout or 0)
                self.returncode = int(self._told.readline())
                self._told.close()
                self._socket.close()
            return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send it SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send it SIGKILL."""
        self.send_signal(signal.SIGKILL)


def start(arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], output: IO[bytes]) -> Process:
    """Start a command in a session of its own; it has no input, and writes to one file."""
    return _start(arguments, cwd, env, output, output)


def run(
    arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float = 100
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, without input. Raises `subprocess.TimeoutExpired`."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = _start(arguments, cwd, env, output, errors)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        said = [_text(stream) for stream in (output, errors)]
    return subprocess.CompletedProcess(list(arguments), code, *said)


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode(errors="replace")


def _wait_readable(sock: socket.socket, timeout: float | None) -> bool:
    poll = select.poll()  # takes descriptors that select() does not
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(None if timeout is None else timeout * 1000))


class _Server:
    """The process that forks, and the way to ask it to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, Path(__file__).with_name("forking.py"), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={**_kept("PATH", "HOME", "LANG", "TMPDIR"), "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )

    def ask(self, request: bytes, descriptors: Sequence[int]) -> None:
        with self._lock:
            socket.send_fds(self._requests, [len(request).to_bytes(4, "big") + request], descriptors)

    def close(self) -> None:
        self._requests.close()
        self._process.wait(10)


@functools.cache
def _server() -> _Server:
    server = _Server()
    atexit.register(server.close)
    return server


def _kept(*names: str) -> dict[str, str]:
    here = os.environ  # noqa: TID251 - a child needs some of what this process has
    return {name: here[name] for name in names if name in here}


def _start(
    arguments: Sequence[str], cwd: Path, env: Mapping[str, str], output: IO[bytes], errors: IO[bytes]
) -> Process:
    request = json.dumps({"arguments": [*arguments], "cwd": str(cwd), "env": dict(env)}).encode()
    ours, theirs = socket.socketpair()
    with theirs, Path(os.devnull).open("rb") as nothing:
        streams = (theirs, nothing, output, errors)
        _server().ask(request, [stream.fileno() for stream in streams])
    return Process(arguments, ours)
