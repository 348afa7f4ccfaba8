"""Refuses calls beyond a number of requests or tokens per minute, for each API key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from gateway.errors import RateLimited
from gateway.plugin import Context, Plugin, PluginConfig, hookimpl
from gateway_ratelimit.counters import Counters, MemoryCounters, SharedCounters
from gateway_ratelimit.windows import Reading, Strategy, Window

if TYPE_CHECKING:
    from gateway.protocols import AroundCall, OnFinished
    from gateway.types import Answer, Call, Outcome, Principal, Proceed, RawHeaders


class RateLimitConfig(PluginConfig):
    """The table `[middleware.ratelimit]`."""

    requests_per_minute: int | None = Field(
        default=None, ge=1, description="Calls per minute and API key; off when not set."
    )
    tokens_per_minute: int | None = Field(
        default=None,
        ge=1,
        description="Tokens in and out per minute and API key; off when not set. They are counted when a call has ended.",
    )
    strategy: Strategy = Field(
        default="sliding-window-counter",
        description="`sliding-window-counter` holds over any 60 seconds; `fixed-window` over each minute by itself.",
    )

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.requests_per_minute is None and self.tokens_per_minute is None:
            raise ValueError("set requests_per_minute, tokens_per_minute or both")
        return self


class Limit:
    """One limit: its window, its counters, its headers."""

    def __init__(self, what: str, amount: int, strategy: Strategy, counters: Counters) -> None:
        self.what = what
        self.window = Window(amount, strategy)
        self.counters = counters
        self._limit = (f"x-ratelimit-limit-{what}".encode(), b"%d" % amount)
        self._remaining = f"x-ratelimit-remaining-{what}".encode()
        self._reset = f"x-ratelimit-reset-{what}".encode()

    def headers(self, reading: Reading, used: int) -> RawHeaders:
        """The headers by which OpenAI tells its limits."""
        left = self.window.limit - used
        return [
            self._limit,
            (self._remaining, b"%d" % (max(0, left))),
            (self._reset, b"%ds" % self.window.reset_after(reading)),
        ]

    def refusal(self, reading: Reading) -> RateLimited:
        """The error for a call that does not fit in."""
        seconds = self.window.retry_after(reading)
        return RateLimited(
            f"Rate limit reached: {self.window.limit} {self.what} per minute. Try again in {seconds} s.",
            headers=[(b"retry-after", b"%d" % seconds), *self.headers(reading, self.window.used(reading))],
        )


class RateLimit(Plugin[RateLimitConfig]):
    """Limits requests and tokens per minute of each API key; of the tenant, for a caller without one."""

    id = "middleware.ratelimit"
    Config = RateLimitConfig

    def __init__(self, name: str, config: RateLimitConfig, context: Context) -> None:
        super().__init__(name, config, context)
        self._requests: Limit | None = None
        self._tokens: Limit | None = None

    async def startup(self) -> None:
        """Begin to count, in the shared storage when a plugin gives one."""
        self._requests = self._limit("requests", self.config.requests_per_minute)
        self._tokens = self._limit("tokens", self.config.tokens_per_minute)

    async def shutdown(self) -> None:
        for limit in (self._requests, self._tokens):
            if limit is not None:
                await limit.counters.close()

    @hookimpl
    def register_interceptors(self) -> Sequence[AroundCall | OnFinished]:
        return (self,)

    async def around_call(self, call: Call, proceed: Proceed) -> Answer:
        """Let the call through, and tell in its answer how much is left. Raises `RateLimited`."""
        who = _counted_as(call.principal)
        headers: RawHeaders = []
        if (limit := self._tokens) is not None:
            reading = await limit.counters.read(who)
            used = limit.window.used(reading)
            if used >= limit.window.limit:
                raise limit.refusal(reading)
            headers = limit.headers(reading, used)
        if (limit := self._requests) is not None:
            reading = await limit.counters.add(who, 1)
            used = limit.window.used(reading)
            if used > limit.window.limit:
                # What is refused does not count, or a client that hammers would stay out for good.
                raise limit.refusal(await limit.counters.add(who, -1))
            headers += limit.headers(reading, used)
        answer = await proceed(call)
        answer.headers += headers
        return answer

    def finished(self, call: Call, outcome: Outcome) -> None:
        """Count the tokens that the call took."""
        if self._tokens is not None and (usage := outcome.usage) is not None:
            tokens = usage.prompt_tokens + usage.completion_tokens
            if tokens:
                self._tokens.counters.add_soon(_counted_as(call.principal), tokens)

    def _limit(self, what: str, amount: int | None) -> Limit | None:
        if amount is None:
            return None
        storage = self.context.counters
        shared = storage is not None
        counters = SharedCounters(storage, f"gateway/{self.name}/{what}") if shared else MemoryCounters()
        return Limit(what, amount, self.config.strategy, counters)


def _counted_as(principal: Principal) -> str:
    return principal.key or f"tenant:{principal.tenant}"
