"""Work beside calls goes on whatever happens in a round, and ends when it is told to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from gateway.errors import GatewayError, Unavailable
from gateway.rounds import Rounds

log = logging.getLogger("gateway.tests.rounds")


class Working(Rounds):
    def __init__(
        self, work: Callable[[], Awaitable[None]], *, pause: float = 0.001, at_once: bool = True
    ) -> None:
        super().__init__("the worker", pause=pause, log=log, at_once=at_once)
        self._work = work

    async def go_round(self) -> None:
        await self._work()


async def test_a_round_that_fails_is_told_of_and_followed_by_another(
    caplog: pytest.LogCaptureFixture,
) -> None:
    failures = [Unavailable("away"), GatewayError("no such rate"), KeyError("x")]
    whole = asyncio.Event()

    async def work() -> None:
        if failures:
            raise failures.pop(0)
        whole.set()

    working = Working(work)
    working.start()
    await asyncio.wait_for(whole.wait(), 10)
    await working.stop()
    assert [record.getMessage() for record in caplog.records] == [
        "the worker, trying again in 0.001 s: no such rate",
        "the worker has failed, trying again in 0.001 s",
    ]


async def test_a_round_may_end_before_the_worker_does() -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        began.set()
        while not working.stopping:
            await asyncio.sleep(0)
        ended.set()

    working = Working(work, pause=60)
    working.start()
    await began.wait()
    await working.stop()
    assert ended.is_set()


async def test_a_round_without_an_end_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.rounds._GRACE", 0.01)
    began, broken = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            broken.set()

    working = Working(work)
    working.start()
    await began.wait()
    await working.stop()
    assert broken.is_set()


@pytest.mark.parametrize("at_once", [True, False])
def test_it_begins_again_in_another_loop(at_once: bool) -> None:
    rounds: list[str] = []

    async def work() -> None:
        rounds.append("done")

    async def run(pause: float) -> None:
        for _ in range(2):
            working.start()
            await asyncio.sleep(pause)
            await working.stop()

    working = Working(work, pause=60, at_once=at_once)
    for _ in range(2):
        asyncio.run(run(0.01))
    assert len(rounds) == (4 if at_once else 0)
