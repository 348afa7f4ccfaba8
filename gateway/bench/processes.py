"""The processes of a measurement: started on their cores, awaited, and stopped whatever happens."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Sequence
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway.bench.system import pinned
from gateway.errors import GatewayError

START_SECONDS = 60
ANSWER_SECONDS = 30
STOP_SECONDS = 10
_POLL_SECONDS = 0.005


class Processes:
    """Child processes with a common end. Their output goes to files in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._running:
            process.terminate()
        for process in self._running:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start(self, name: str, argv: Sequence[str], *, core: int | None) -> subprocess.Popen[bytes]:
        """Start one on that core."""
        with pinned(core), self.log(name).open("wb") as log:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)  # noqa: S603 - our own
        self._running.append(process)
        return process

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """End one early, and wait for it."""
        self._running.remove(process)
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def log(self, name: str) -> Path:
        """Where the output of that process goes."""
        return self.folder / f"{name}.log"

    def printed(self, name: str, process: subprocess.Popen[bytes]) -> str:
        """Wait for the first line that the process prints."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and process.poll() is None:
            if (text := self.log(name).read_text()).endswith("\n"):
                return text.splitlines()[0]
            time.sleep(_POLL_SECONDS)
        raise GatewayError(f"{name} did not start:\n{self.tail(name)}")

    def answered(self, name: str, process: subprocess.Popen[bytes], port: int, request: bytes) -> None:
        """Wait for the first good answer to a request. Raises `GatewayError` with what was said instead."""
        end = time.monotonic() + START_SECONDS
        status, body = 0, b""
        while time.monotonic() < end and process.poll() is None:
            with contextlib.suppress(OSError, HTTPException):
                status, body = ask(port, request)
                if status == HTTPStatus.OK:
                    return
            time.sleep(_POLL_SECONDS)
        answer = f"It said {status}: {body.decode(errors='replace').strip()}" if status else ""
        raise GatewayError(f"{name} gave no good answer. {answer}\n{self.tail(name)}".strip())

    def tail(self, name: str) -> str:
        """The last lines that the process printed."""
        lines = self.log(name).read_text(errors="replace").strip().splitlines()
        return "\n".join(lines[-15:])


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def ask(port: int, request: bytes) -> tuple[int, bytes]:
    """Send one request on a connection of its own; give status and body of the answer.

    Raises `OSError` or `http.client.HTTPException` when there is none.
    """
    with socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS) as sock:
        sock.sendall(request)
        answer = HTTPResponse(sock)
        answer.begin()
        return answer.status, answer.read()
