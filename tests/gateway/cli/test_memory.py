"""Memory is given back when many calls have gone."""

from __future__ import annotations

import os
import platform

import pytest

from gateway.bench.system import memory_mb
from gateway.cli.memory import CROWD, Crowd

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators are not told")

BLOCK = 2000


def resident() -> float:
    """Of this process, in MB."""
    memory = memory_mb(os.getpid())
    assert memory is not None
    return memory


def after(*running: int) -> tuple[float, float]:
    """Memory before and after a crowd was noted, when 60 MB were freed that end in a block that is not."""
    crowd = Crowd()
    held = [bytearray(BLOCK) for _ in range(30_000)]
    last = bytearray(BLOCK)
    held.clear()
    before = resident()
    for number in running:
        crowd.note(number)
    found = before, resident()
    assert last
    return found


def test_it_is_when_a_crowd_has_gone() -> None:
    before, now = after(CROWD, CROWD // 2, CROWD // 10)
    assert now < before - 40


@pytest.mark.parametrize("running", [(CROWD, CROWD // 2), (CROWD - 1, 0)])
def test_it_is_not_while_many_are_left_or_when_there_were_only_few(running: tuple[int, ...]) -> None:
    before, now = after(*running)
    assert now > before - 20
