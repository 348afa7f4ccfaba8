"""Rate limits: what is let through, what is refused, and what both are told."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from limits.aio.storage import MemoryStorage, Storage

from gateway.errors import RateLimited
from gateway.identity.tenants import Policy
from gateway.plugin import Context
from gateway.testing.fakes import make_call, plugin_context
from gateway.types import Answer, Call, CallLimits, Outcome, Principal, RawHeaders, Usage
from gateway_ratelimit import RateLimit
from gateway_ratelimit.counters import Counters, MemoryCounters, SharedCounters, read_now
from gateway_ratelimit.plugin import RateLimitConfig
from gateway_ratelimit.windows import WINDOW, Window


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000_020.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "shared"])
def counters(request: pytest.FixtureRequest, clock: Clock) -> Counters:
    return MemoryCounters(clock) if request.param == "memory" else SharedCounters(MemoryStorage(), "t", clock)


@pytest.fixture
def one_minute(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """Let no minute end within a test: what is shared is counted by the minutes of the clock."""
    monkeypatch.setattr(SharedCounters.__init__, "__defaults__", (clock,))


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return plugin_context(tmp_path)


def principal(key: str | None = "key_a", tenant: str = "default") -> Principal:
    return Principal(tenant=tenant, authenticator="test", key=key)


async def proceed(_call: Call) -> Answer:
    return Answer(200, [(b"content-type", b"application/json")], body=b"{}")


async def started(context: Context, **config: Any) -> RateLimit:
    plugin = RateLimit("ratelimit", RateLimitConfig(**config), context)
    await plugin.startup()
    return plugin


async def ask(plugin: RateLimit, who: Principal | None = None) -> dict[bytes, bytes]:
    answer = await plugin.around_call(make_call(principal=who or principal()), proceed)
    return dict(answer.headers)


async def test_requests_beyond_the_limit_are_refused(context: Context):
    plugin = await started(context, requests_per_minute=2)
    for left in (b"1", b"0"):
        headers = await ask(plugin)
        assert headers[b"x-ratelimit-limit-requests"] == b"2"
        assert headers[b"x-ratelimit-remaining-requests"] == left
        assert headers[b"x-ratelimit-reset-requests"].endswith(b"s")
        assert headers[b"content-type"] == b"application/json"
    with pytest.raises(RateLimited, match="2 requests per minute") as refused:
        await ask(plugin)
    told = dict(refused.value.headers)
    assert refused.value.status == 429
    assert told[b"x-ratelimit-remaining-requests"] == b"0"
    assert 1 <= int(told[b"retry-after"]) <= 120


async def test_each_key_has_a_limit_of_its_own(context: Context):
    plugin = await started(context, requests_per_minute=1)
    for who in (principal("key_a"), principal("key_b"), principal(None), principal(None, "acme")):
        await ask(plugin, who)
        with pytest.raises(RateLimited):
            await ask(plugin, who)


async def test_two_gateways_share_nothing(context: Context):
    for _ in range(2):
        await ask(await started(context, requests_per_minute=1))


async def test_used_up_tokens_refuse_the_next_call(context: Context):
    plugin = await started(context, tokens_per_minute=100)
    call = make_call(principal=principal())
    assert (await ask(plugin))[b"x-ratelimit-remaining-tokens"] == b"100"
    plugin.finished(call, Outcome(usage=Usage(prompt_tokens=60, completion_tokens=39)))
    assert (await ask(plugin))[b"x-ratelimit-remaining-tokens"] == b"1"
    plugin.finished(call, Outcome(usage=Usage(prompt_tokens=500)))
    with pytest.raises(RateLimited, match="100 tokens per minute") as refused:
        await ask(plugin)
    told = dict(refused.value.headers)
    assert told[b"x-ratelimit-remaining-tokens"] == b"0"
    assert b"x-ratelimit-limit-requests" not in told


async def test_a_call_without_usage_takes_no_tokens(context: Context):
    plugin = await started(context, tokens_per_minute=1)
    plugin.finished(make_call(principal=principal()), Outcome())
    await ask(plugin)


async def test_a_call_refused_for_its_tokens_takes_no_request(context: Context):
    plugin = await started(context, requests_per_minute=1, tokens_per_minute=1)
    plugin.finished(make_call(principal=principal()), Outcome(usage=Usage(prompt_tokens=1)))
    for _ in range(3):
        with pytest.raises(RateLimited, match="tokens per minute"):
            await ask(plugin)


def hold(context: Context, tenant: str, limits: CallLimits) -> None:
    """Give a tenant limits, as they come from the database."""
    context.tenants.policies[tenant] = Policy(state="active", models=None, providers=None, limits=limits)


async def test_a_tenant_has_a_limit_over_all_its_keys(context: Context):
    plugin = await started(context)
    hold(context, "acme", CallLimits(requests_per_minute=2))
    assert (await ask(plugin, principal("key_a", "acme")))[b"x-ratelimit-remaining-requests"] == b"1"
    await ask(plugin, principal("key_b", "acme"))
    with pytest.raises(RateLimited, match="2 requests per minute"):
        await ask(plugin, principal("key_c", "acme"))
    assert b"x-ratelimit-limit-requests" not in await ask(plugin, principal("key_d", "globex"))


async def test_the_tightest_limit_is_told_and_a_refusal_counts_for_none(context: Context):
    plugin = await started(context, requests_per_minute=10)
    hold(context, "acme", CallLimits(requests_per_minute=3))
    limited = Principal(
        tenant="acme", authenticator="test", key="key_a", limits=CallLimits(requests_per_minute=1)
    )
    assert (await ask(plugin, limited))[b"x-ratelimit-limit-requests"] == b"1"
    for _ in range(5):
        with pytest.raises(RateLimited, match="1 requests per minute"):
            await ask(plugin, limited)
    other = principal("key_b", "acme")
    assert (await ask(plugin, other))[b"x-ratelimit-remaining-requests"] == b"1"  # 1 of key_a's, 1 of its own
    assert (await ask(plugin, other))[b"x-ratelimit-remaining-requests"] == b"0"


async def test_tokens_of_a_tenant_are_counted_together(context: Context):
    plugin = await started(context)
    hold(context, "acme", CallLimits(tokens_per_minute=10))
    call = make_call(principal=principal("key_a", "acme"))
    await plugin.around_call(call, proceed)
    plugin.finished(call, Outcome(usage=Usage(prompt_tokens=6, completion_tokens=4)))
    with pytest.raises(RateLimited, match="10 tokens per minute"):
        await ask(plugin, principal("key_b", "acme"))


async def test_so_many_calls_run_at_the_same_time_and_no_more(context: Context):
    plugin = await started(context)
    hold(context, "acme", CallLimits(concurrent=2))
    calls = [make_call(principal=principal(f"key_{n}", "acme")) for n in range(3)]
    for call in calls[:2]:
        await plugin.around_call(call, proceed)
    with pytest.raises(RateLimited, match="2 calls at the same time") as refused:
        await plugin.around_call(calls[2], proceed)
    assert dict(refused.value.headers)[b"retry-after"] == b"1"
    plugin.finished(calls[2], Outcome())  # the pipeline tells of refused calls too
    del context.tenants.policies["acme"]  # a limit that is lifted meanwhile leaves nothing behind
    plugin.finished(calls[0], Outcome())
    hold(context, "acme", CallLimits(concurrent=2))
    await plugin.around_call(calls[2], proceed)
    with pytest.raises(RateLimited):
        await plugin.around_call(make_call(principal=principal("key_9", "acme")), proceed)


@pytest.mark.usefixtures("one_minute")
async def test_workers_share_the_storage_that_a_plugin_registered(context: Context):
    context.counters = MemoryStorage()
    first = await started(context, requests_per_minute=2, tokens_per_minute=100)
    second = await started(context, requests_per_minute=2, tokens_per_minute=100)
    await ask(first)
    await ask(second)
    with pytest.raises(RateLimited, match="requests"):
        await ask(first)
    first.finished(make_call(principal=principal("key_b")), Outcome(usage=Usage(prompt_tokens=100)))
    await first.shutdown()
    with pytest.raises(RateLimited, match="tokens"):
        await ask(second, principal("key_b"))
    await second.shutdown()


async def test_tokens_without_a_limit_are_not_counted(context: Context):
    storage = context.counters = MemoryStorage()
    plugin = await started(context, requests_per_minute=2)
    await ask(plugin)
    plugin.finished(make_call(principal=principal()), Outcome(usage=Usage(prompt_tokens=100)))
    await plugin.shutdown()
    assert [key for key in storage.storage if "tokens" in key] == []
    assert len(storage.storage) == 1


@pytest.mark.usefixtures("one_minute")
async def test_a_broken_storage_lets_calls_through_and_is_logged_once(
    context: Context, caplog: pytest.LogCaptureFixture
):
    class Broken(MemoryStorage):
        STORAGE_SCHEME = None  # pyright: ignore[reportAssignmentType] - not to be found by a URL
        fails = True

        async def get(self, key: str) -> int:
            if self.fails:
                raise ConnectionError("gone")
            return await super().get(key)

    storage = Broken()
    context.counters = storage
    plugin = await started(context, requests_per_minute=1)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            await ask(plugin)
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        assert "gone" in caplog.text
        storage.fails = False
        await ask(plugin)
        assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
        with pytest.raises(RateLimited):
            await ask(plugin)


async def test_a_fixed_window_begins_anew(counters: Counters, clock: Clock):
    window = Window(10, "fixed-window")
    assert window.used(await read_now(counters.add("requests", "a", 10))) == 10
    clock.now += WINDOW
    assert window.used(await read_now(counters.read("requests", "a"))) == 0


async def test_a_sliding_window_forgets_bit_by_bit(counters: Counters, clock: Clock):
    window = Window(10, "sliding-window-counter")
    clock.now -= clock.now % WINDOW  # the shared windows begin with the minute
    counters = MemoryCounters(clock) if isinstance(counters, MemoryCounters) else counters
    await read_now(counters.add("requests", "a", 10))
    for seconds, used in ((60, 10), (15, 7), (15, 5), (29, 0)):
        clock.now += seconds
        assert window.used(await read_now(counters.read("requests", "a"))) == used


async def test_tokens_that_were_spent_are_counted(counters: Counters, clock: Clock):
    counters.spend("a", 3)
    counters.spend("a", 4)
    await counters.close()
    counters.spend("a", 5)
    await counters.close()
    assert (await read_now(counters.read("tokens", "a"))).current == 12
    assert (await read_now(counters.read("requests", "a"))).current == 0


async def test_memory_forgets_keys_that_are_no_longer_used(clock: Clock):
    counters = MemoryCounters(clock)
    for number in range(1000):
        await read_now(counters.add("requests", str(number), 1))
    clock.now += 2 * WINDOW
    await read_now(counters.add("requests", "a", 1))
    assert len(counters._current) + len(counters._previous) == 1


async def test_shared_counters_ask_once_for_the_last_window(clock: Clock):
    asked: list[str] = []

    class Counting(MemoryStorage):
        STORAGE_SCHEME = None  # pyright: ignore[reportAssignmentType]

        async def get(self, key: str) -> int:
            asked.append(key)
            return await super().get(key)

        async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
            asked.append(key)
            return amount

    storage: Storage = Counting()
    counters = SharedCounters(storage, "t", clock)
    for _ in range(5):
        await read_now(counters.add("requests", "a", 1))
    assert len(asked) == 6


@given(
    limit=st.integers(1, 20),
    gaps=st.lists(st.floats(0, 90), min_size=1, max_size=60),
    sliding=st.booleans(),
)
def test_retry_after_is_honest(limit: int, gaps: list[float], sliding: bool):
    """After it one call fits; two seconds before it none does."""
    clock = Clock()
    counters = MemoryCounters(clock)
    window = Window(limit, "sliding-window-counter" if sliding else "fixed-window")

    async def fits() -> bool:
        used = window.used(await read_now(counters.add("requests", "a", 1)))
        if used > limit:
            await read_now(counters.add("requests", "a", -1))
        return used <= limit

    async def run() -> None:
        for gap in gaps:
            clock.now += gap
            if not await fits():
                wait = window.retry_after(await read_now(counters.read("requests", "a")))
                assert wait >= 1
                now = clock.now
                if wait > 2:
                    clock.now = now + wait - 2
                    assert not await fits()
                clock.now = now + wait
                assert await fits()

    asyncio.run(run())


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    requests=st.integers(1, 6),
    tokens=st.integers(1, 60),
    calls=st.lists(st.tuples(st.floats(0, 90), st.integers(0, 40)), min_size=1, max_size=40),
    strategy=st.sampled_from(["sliding-window-counter", "fixed-window"]),
)
def test_limits_of_the_config_are_those_of_a_caller(
    context: Context, requests: int, tokens: int, calls: list[tuple[float, int]], strategy: str
):
    """The same figures are told, and the same calls refused, whichever way they are counted."""
    amounts = {"requests_per_minute": requests, "tokens_per_minute": tokens}

    async def told(plugin: RateLimit, call: Call, taken: int) -> RawHeaders:
        try:
            answer = await plugin.around_call(call, proceed)
        except RateLimited as refused:
            return list(refused.headers)
        plugin.finished(call, Outcome(usage=Usage(completion_tokens=taken)))
        return answer.headers[1:]

    async def run() -> None:
        clock = Clock()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(MemoryCounters.__init__, "__defaults__", (clock,))
            config = await started(context, strategy=strategy, **amounts)
            own = await started(context, strategy=strategy)
        one = make_call(principal=principal())
        other = make_call(
            principal=Principal(
                tenant="default", authenticator="test", key="key_a", limits=CallLimits(**amounts)
            )
        )
        for gap, taken in calls:
            clock.now += gap
            assert await told(config, one, taken) == await told(own, other, taken)

    asyncio.run(run())


@given(hits=st.integers(0, 50), gaps=st.floats(0, 200), sliding=st.booleans())
def test_after_the_reset_nothing_is_used(hits: int, gaps: float, sliding: bool):
    clock = Clock()
    counters = MemoryCounters(clock)
    window = Window(10, "sliding-window-counter" if sliding else "fixed-window")

    async def run() -> None:
        await read_now(counters.add("requests", "a", hits))
        clock.now += gaps
        clock.now += window.reset_after(await read_now(counters.read("requests", "a")))
        assert window.used(await read_now(counters.read("requests", "a"))) == 0

    asyncio.run(run())
