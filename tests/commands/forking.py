"""A process that has imported the gateway once, and forks itself for each command.

It gets its end of a socket as its one argument. A request is its length, then JSON with `arguments`, `cwd` and `env`;
four descriptors come with it: where to tell the process's id and later its exit code, and its three standard streams.
Once nobody holds the other end any more, it ends, and with it all commands: tests that are killed leave none behind.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from gateway.cli import COMMANDS

BESIDE_COMMANDS = (
    *(
        "gateway.app",
        "gateway.cli.banner",
        "gateway.cli.server",
        "gateway.cli.welcome",
        "gateway.cli.workers",
    ),
    *("sqlalchemy.ext.asyncio", "aiosqlite", "asyncpg", "uvloop", "sqlalchemy.dialects.postgresql.asyncpg"),
    *("alembic.autogenerate", "alembic.operations", "alembic.runtime.migration", "alembic.script"),
    *("gateway_apikey", "gateway_metrics", "gateway_mock", "gateway_openai", "gateway_ratelimit"),
)
"""What most of them would import."""


def main() -> None:
    """Fork for each request until the socket is closed."""
    for name in (*(f"gateway.cli.{command}" for command in COMMANDS), *BESIDE_COMMANDS):
        import_module(name)
    gc.freeze()
    requests = socket.socket(fileno=int(sys.argv[1]))
    ended, wakes = os.pipe()
    os.set_blocking(ended, False)
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes)
    signal.signal(signal.SIGCHLD, _wake)
    children: dict[int, socket.socket] = {}
    try:
        _serve(requests, ended, wakes, children)
    finally:
        _end(children)


def _serve(requests: socket.socket, ended: int, wakes: int, children: dict[int, socket.socket]) -> None:
    while True:
        ready, _, _ = select.select([requests, ended], [], [])
        if ended in ready:
            os.read(ended, 4096)
            _tell_ended(children)
        if requests not in ready:
            continue
        request, descriptors = _receive(requests)
        if request is None:
            return
        told = socket.socket(fileno=descriptors[0])
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for end in (requests, told, *children.values()):
                end.close()
            children.clear()  # they are none of its own
            os.close(ended)
            os.close(wakes)
            _become(request, descriptors[1:])
            return
        children[pid] = told
        told.sendall(b"%d\n" % pid)
        for descriptor in descriptors[1:]:
            os.close(descriptor)


def _wake(_number: int, _frame: object) -> None:
    """Only so that the signal is told through the pipe."""


def _receive(requests: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    data, descriptors, _, _ = socket.recv_fds(requests, 2**16, 4)
    if not data:
        return None, []
    while len(data) < 4 or len(data) < 4 + int.from_bytes(data[:4], "big"):
        more = requests.recv(2**16)
        if not more:  # whoever asked died over it
            return None, []
        data += more
    return json.loads(data[4:]), list(descriptors)


def _tell_ended(children: dict[int, socket.socket]) -> None:
    for pid in list(children):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            with children.pop(pid) as told:
                told.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def _end(children: Mapping[int, object]) -> None:
    """Kill each command and what it has started."""
    for pid in children:
        with contextlib.suppress(ProcessLookupError):  # it has not come as far as to its own session
            os.killpg(pid, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)  # not waited for yet, so that it is no other's


def _become(request: dict[str, Any], streams: list[int]) -> None:
    """Run the command, in a session of its own."""
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["cwd"])
    environment = os.environ  # noqa: TID251 - it becomes the command's
    environment.clear()
    environment.update(request["env"])
    sys.path[:0] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    sys.argv = ["gateway", *request["arguments"]]
    runpy.run_module("gateway", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
