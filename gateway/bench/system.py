"""What the operating system says of a process and its descendants; and on which cores they run."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LINUX = sys.platform == "linux"
_PROC = Path("/proc")
_PARENT, _USER, _SYSTEM = 1, 11, 12
"""Fields of /proc/PID/stat (proc_pid_stat(5)), counted from the state, which follows the command's name."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Where to run what. None leaves it to the system."""

    gateway: int | None
    mock: int | None
    load: int | None

    @classmethod
    def choose(cls) -> Cores:
        """Give the gateway a core of its own; the mock and the load generator one each, or one together."""
        if not LINUX:
            return cls(None, None, None)
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) == 1:
            return cls(None, None, None)
        return cls(cores[0], cores[1], cores[min(2, len(cores) - 1)])


@contextmanager
def pinned(core: int | None) -> Generator[None]:
    """Let processes that are started in this block run on that core only."""
    if core is None or not LINUX:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def tree(pid: int) -> list[int]:
    """The process and all its descendants. Linux only."""
    children: dict[int, list[int]] = defaultdict(list)
    for folder in _PROC.iterdir():
        if folder.name.isdigit() and (fields := _stat(int(folder.name))):
            children[int(fields[_PARENT])].append(int(folder.name))
    found, at = [pid], 0
    while at < len(found):
        found += children[found[at]]
        at += 1
    return found


def cpu_seconds(pid: int) -> float | None:
    """User and system time of the tree so far, in steps of 10 ms; None where the system cannot tell."""
    if not LINUX:
        return None
    stats = [_stat(each) for each in tree(pid)]
    ticks = sum(int(fields[_USER]) + int(fields[_SYSTEM]) for fields in stats if fields)
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float | None:
    """Resident memory of the tree in MB of 2²⁰ bytes, pages shared between processes counted in each."""
    if not LINUX:
        return None
    pages = 0
    for each in tree(pid):
        try:
            pages += int((_PROC / str(each) / "statm").read_text().split()[1])
        except (OSError, IndexError):  # it has ended meanwhile
            continue
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def open_files(pid: int) -> int | None:
    """How many file descriptors the process holds; None where the system cannot tell."""
    return len(list((_PROC / str(pid) / "fd").iterdir())) if LINUX else None


def _stat(pid: int) -> list[str]:
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has ended meanwhile
        return []
