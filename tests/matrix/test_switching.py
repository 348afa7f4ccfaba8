"""Conversations with tools, thoughts and a picture that go on with another provider's model, to and fro, at every point."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import pytest

from .clients import harness as h
from .run import MODELS, serving
from .talkers import TALKERS, Calls, Talker

PROVIDERS = ("openai", "anthropic", "gemini", "ollama")


async def converse(talker: Talker, one: str, other: str) -> None:
    """Let two models take turns. Fails where one of them is not told all that it must know."""
    talker.ask(h.BOTH, h.picture())
    _, calls = await talker.answer(one)
    talker.tell(results(calls, "Rome", "Oslo"))
    said, _ = await talker.answer(other)
    assert said.startswith("weather(Rome) gave Sun. weather(Oslo) gave Snow.")
    for first, second in ((one, other), (other, one)):
        talker.ask(h.ROME)
        _, calls = await talker.answer(first)
        talker.tell(results(calls, "Rome"))
        said, _ = await talker.answer(second)
        assert said.startswith("weather(Rome) gave Sun.")
        talker.ask(h.HELLO)
        assert await talker.answer(first) == (h.TEXT, [])


def results(calls: Calls, *cities: str) -> dict[str, str]:
    assert [given["city"] for _, given in calls] == list(cities)
    found = {call: h.weather(given["city"]) for call, given in calls}
    assert len(found) == len(cities), "two calls have the same id"
    return found


@pytest.mark.parametrize("client", TALKERS)
async def test_another_model_goes_on(client: Callable[[str, str], Talker], tmp_path: Path) -> None:
    failed: list[str] = []
    async with serving(tmp_path) as served:
        for one, other in permutations(PROVIDERS, 2):
            try:
                await converse(client(served.url, served.key), MODELS[one], MODELS[other])
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told with the others
                failed.append(f"{one} and {other}: {error!r}")
    assert not failed, "\n".join(failed)
