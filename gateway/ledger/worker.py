"""Who writes to the ledger: one process of the gateway, and whether another one is gone."""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path

from msgspec import Struct


class Worker(Struct, frozen=True, kw_only=True):
    """A row of `workers`: a running ledger, and enough of its process to know it again."""

    id: str
    host: str
    pid: int
    process_start: str
    """Tells a reused pid from the old process; empty where the system does not say."""
    started_at: float

    @classmethod
    def this_process(cls) -> Worker:
        pid = os.getpid()
        return cls(
            id=os.urandom(10).hex(),
            host=this_host(),
            pid=pid,
            process_start=process_start(pid) or "",
            started_at=time.time(),
        )


def is_gone(host: str, pid: int, start: str) -> bool:
    """Whether that process has certainly ended; of other hosts' processes nothing is certain."""
    return host == this_host() and process_start(pid) != start


def this_host() -> str:
    """Name the set of processes in which a pid has one meaning: the host, its boot and its pid namespace."""
    name = socket.gethostname()
    if sys.platform == "linux":
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
        namespace = Path("/proc/self/ns/pid").readlink().name
        return f"{name[:150]} {boot} {namespace}"
    return name[:200]


def process_start(pid: int) -> str | None:
    """When a process of this host was started, as text without further meaning; None when there is no such process."""
    if sys.platform == "linux":
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return None
        state, *fields = stat.rpartition(")")[2].split()
        # A zombie has ended; proc(5): field 22, after the state in 3.
        return None if state in "ZX" else fields[18]
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return ""
    return ""
