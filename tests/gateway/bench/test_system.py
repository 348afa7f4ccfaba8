from __future__ import annotations

import os
import subprocess
import sys

import pytest

from gateway.bench import system

pytestmark = pytest.mark.skipif(not system.LINUX, reason="CPU and memory of processes are read on Linux only")


def test_tree_holds_grandchildren():
    script = "import subprocess, sys; subprocess.run(['sleep', '60'], stdin=subprocess.DEVNULL)"
    child = subprocess.Popen([sys.executable, "-c", script])
    try:
        while len(found := system.tree(child.pid)) < 2:
            assert child.poll() is None
        assert found[0] == child.pid
        assert set(found) < set(system.tree(os.getpid()))
    finally:
        for pid in reversed(system.tree(child.pid)):
            os.kill(pid, 9)
        child.wait()


def test_cpu_counts_work_that_is_done():
    before = system.cpu_seconds(os.getpid())
    assert before is not None
    while (system.cpu_seconds(os.getpid()) or 0.0) < before + 0.05:
        sum(range(10_000))


def test_memory_and_files_of_this_process():
    assert (system.memory_mb(os.getpid()) or 0) > 5
    assert (system.open_files(os.getpid()) or 0) >= 3


def test_a_process_that_is_gone_costs_nothing():
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert system.cpu_seconds(gone.pid) == 0
    assert system.memory_mb(gone.pid) == 0


def test_pinned_children_run_on_their_core_and_we_stay_free():
    before = os.sched_getaffinity(0)
    core = max(before)
    with system.pinned(core):
        said = subprocess.run(
            [sys.executable, "-c", "import os; print(os.sched_getaffinity(0))"],
            capture_output=True,
            text=True,
            check=True,
        )
    assert said.stdout.strip() == str({core})
    assert os.sched_getaffinity(0) == before
