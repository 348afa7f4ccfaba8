"""Credentials that expire: one fetch for all who wait, in good time, and the old one as long as it is good."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import ProviderError
from gateway.provider import Credential, Renewal


class Source:
    """Gives numbered secrets, each good for some seconds; fails when told so."""

    def __init__(self, seconds: float = 3600) -> None:
        self.seconds = seconds
        self.fetched = 0
        self.fails = False
        self.free = asyncio.Event()
        self.free.set()

    async def fetch(self) -> tuple[str, float]:
        self.fetched += 1
        number = self.fetched
        await self.free.wait()
        if self.fails:
            raise ProviderError("No.", provider="p")
        return f"secret-{number}", self.seconds


def use(credential: Credential, secret: str) -> None:
    credential.secret = secret


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock that credentials expire by."""
    clock = [1000.0]
    monkeypatch.setattr("gateway.provider.renewal.time.monotonic", lambda: clock[0])
    return clock


def credential(source: Source) -> Credential:
    made = Credential(None, renew=Renewal(source.fetch, use).renew)
    assert made.renews_at == 0, "due before the first request"
    return made


@pytest.mark.parametrize(("seconds", "later"), [(3600, 3300), (600, 300), (100, 50), (0, 0)])
async def test_when_it_is_due_again(now: list[float], seconds: float, later: float) -> None:
    made = credential(Source(seconds))
    await made.renew()
    assert (made.secret, made.renews_at) == ("secret-1", now[0] + later)


async def test_all_who_wait_get_the_same() -> None:
    source = Source()
    source.free.clear()
    made = credential(source)
    waiting = [asyncio.create_task(made.renew()) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    source.free.set()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert waiting[0].cancelled()
    assert (made.secret, source.fetched) == ("secret-1", 1)
    await made.renew()
    assert made.secret == "secret-2"


async def test_the_old_one_is_used_to_its_end(now: list[float]) -> None:
    source = Source(3600)
    made = credential(source)
    await made.renew()
    source.fails = True
    now[0] += 3300
    await made.renew()
    assert (made.secret, made.renews_at) == ("secret-1", now[0] + 15)
    now[0] += 300
    with pytest.raises(ProviderError):
        await made.renew()
    source.fails = False
    await made.renew()
    assert made.secret == "secret-4"


async def test_without_an_old_one_a_failure_is_told() -> None:
    source = Source()
    source.fails = True
    with pytest.raises(ProviderError):
        await credential(source).renew()


async def test_it_serves_again_on_another_event_loop() -> None:
    source = Source()
    made = credential(source)
    await made.renew()
    await asyncio.to_thread(asyncio.run, made.renew())
    assert made.secret == "secret-2"
