"""Refresh tokens in any order: however they are used, stolen and retried, at most one pair opens the door."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import AuthenticationFailed
from gateway.identity.people import Client, SignedIn
from gateway.store import Database
from gateway.store.migrate import upgrade

from .workers import BROWSER, Worker, worker

THIEF = Client(agent="curl/8")

Step = tuple[str, int]
steps: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(st.sampled_from(["refresh", "retry", "steal"]), st.integers(0, 5)), min_size=1, max_size=8
)


async def _refreshed(here: Worker, token: str, client: Client) -> SignedIn | None:
    try:
        return await here.sessions.refresh(token, client=client)
    except AuthenticationFailed:
        return None


async def _walk(here: Worker, taken: list[Step]) -> None:
    """Do the steps, with a model beside: the tokens given so far, and whether the session still lives."""
    given_out = [await here.sign_in()]
    lives = True
    for action, back in taken:
        if action == "refresh":
            answer = await _refreshed(here, given_out[-1].refresh, BROWSER)
            assert (answer is not None) == lives
            given_out += [answer] if answer else []
        elif action == "retry" and len(given_out) > 1:  # the last answer was lost on its way
            answer = await _refreshed(here, given_out[-2].refresh, BROWSER)
            assert (answer is not None) == lives
            assert answer is None or (answer.access, answer.refresh) == (
                given_out[-1].access,
                given_out[-1].refresh,
            )
        elif action == "steal" and len(given_out) > 1:
            old = given_out[max(0, len(given_out) - 2 - back)]
            assert await _refreshed(here, old.refresh, THIEF) is None
            lives = False
        open_: list[SignedIn] = []
        for signed_in in given_out:
            try:
                await here.who(signed_in.access)
            except AuthenticationFailed:
                continue
            open_.append(signed_in)
        assert open_ == (given_out[-1:] if lives else [])


def test_at_most_the_newest_pair_is_good() -> None:
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        database = Database(f"sqlite:///{Path(folder)}/gateway.db")
        runner.run(upgrade(database))

        @settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(steps)
        def walk(taken: list[Step]) -> None:
            async def walked() -> None:
                async with worker(database) as here:
                    await _walk(here, taken)

            runner.run(walked())

        walk()
        runner.run(database.close())
