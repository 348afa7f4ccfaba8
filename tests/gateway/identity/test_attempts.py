"""Wrong credentials, counted."""

from __future__ import annotations

import pytest

from gateway.errors import RateLimited
from gateway.identity.attempts import Attempts


class Clock:
    """A clock that a test moves on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("gateway.identity.attempts.time", clock)
    return clock


def fail(attempts: Attempts, address: str | None, times: int) -> None:
    for _ in range(times):
        attempts.failed(address)


def test_after_so_many_failures_a_minute_has_to_pass(clock: Clock) -> None:
    attempts = Attempts(3)
    fail(attempts, "192.0.2.7", 2)
    clock.now += 20
    fail(attempts, "192.0.2.7", 1)
    for ask in (attempts.failed, attempts.check, attempts.failed):
        with pytest.raises(RateLimited) as refused:
            ask("192.0.2.7")
        assert refused.value.headers == ((b"retry-after", b"41"),)
    attempts.check("192.0.2.8")
    clock.now += 41
    attempts.check("192.0.2.7")
    fail(attempts, "192.0.2.7", 3)
    with pytest.raises(RateLimited):
        attempts.failed("192.0.2.7")


def test_a_network_of_ipv6_is_one_client() -> None:
    attempts = Attempts(2)
    attempts.failed("2001:db8:1:1::1")
    attempts.failed("2001:db8:1:1:ffff::2")
    with pytest.raises(RateLimited):
        attempts.failed("2001:db8:1:1::3")
    attempts.failed("2001:db8:1:2::3")
    fail(attempts, "::ffff:192.0.2.7", 2)
    with pytest.raises(RateLimited):
        attempts.check("192.0.2.7")


def test_a_client_without_address_is_one_too() -> None:
    attempts = Attempts(1)
    fail(attempts, None, 1)
    with pytest.raises(RateLimited):
        attempts.failed(None)
    attempts.failed("not an address: é")


def test_it_may_be_off() -> None:
    attempts = Attempts(0)
    fail(attempts, "192.0.2.7", 1000)
    attempts.check("192.0.2.7")


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.identity.attempts._MOST", 10)
    attempts = Attempts(1)
    for number in range(100):
        attempts.failed(f"192.0.2.{number}")
    assert len(attempts._counted) == 10
    with pytest.raises(RateLimited):
        attempts.check("192.0.2.99")
