"""Ports for servers that tests start in other processes."""

from __future__ import annotations

import itertools
import os
import socket

_FIRST, _COUNT = 10_000, 20_000
_numbers = itertools.count(
    os.getpid() * 97
)  # so that test processes that run side by side begin in other places


def free_port() -> int:
    """Find a port on the loopback that nobody listens on, none of those that the system hands out by itself.

    So it stays free until the server takes it, and no two tests of a process get the same.
    """
    while True:
        port = _FIRST + next(_numbers) % _COUNT
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
