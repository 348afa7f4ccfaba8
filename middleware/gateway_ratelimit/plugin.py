"""Refuses calls beyond a number of requests or tokens per minute, for each API key and each tenant."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from gateway.plugin import Context, Plugin, PluginConfig, hookimpl
from gateway_ratelimit.callers import CallerLimits, Held, held_for
from gateway_ratelimit.counters import Counters, MemoryCounters, SharedCounters, read_now
from gateway_ratelimit.limit import Limit
from gateway_ratelimit.windows import Reading, Strategy

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


class RateLimit(Plugin[RateLimitConfig]):
    """Limits requests and tokens per minute of each API key; of the tenant, for a caller without one.

    Besides, it holds callers and tenants to the limits that they have of their own.
    """

    id = "middleware.ratelimit"
    Config = RateLimitConfig

    def __init__(self, name: str, config: RateLimitConfig, context: Context) -> None:
        super().__init__(name, config, context)
        self._requests: Limit | None = None
        self._tokens: Limit | None = None
        self._limited = config.requests_per_minute is not None or config.tokens_per_minute is not None
        self._callers: CallerLimits
        self._policies = context.tenants.policies

    async def startup(self) -> None:
        """Begin to count, in the shared storage when a plugin gives one."""
        self._requests = self._limit("requests", self.config.requests_per_minute)
        self._tokens = self._limit("tokens", self.config.tokens_per_minute)
        self._callers = CallerLimits(
            self._counters("own/requests"), self._counters("own/tokens"), self.config.strategy
        )

    async def shutdown(self) -> None:
        for limit in (self._requests, self._tokens):
            if limit is not None:
                await limit.counters.close()
        await self._callers.close()

    @hookimpl
    def register_interceptors(self) -> Sequence[AroundCall | OnFinished]:
        return (self,)

    def around_call(self, call: Call, proceed: Proceed) -> Awaitable[Answer]:
        """Let the call through, and tell in its answer how much is left. Raises `RateLimited`."""
        principal = call.principal
        policy = self._policies.get(principal.tenant)
        if principal.limits is not None or (policy is not None and policy.limits is not None):
            return self._held(call, proceed, held_for(principal, policy and policy.limits))
        if self._limited:
            return self._counted(call, proceed)
        return proceed(call)

    async def _held(self, call: Call, proceed: Proceed, held: Sequence[Held]) -> Answer:
        """Hold a call to the limits of its caller and its tenant, and to those of the config."""
        who = _counted_as(call.principal)
        config = [(limit, who) for limit in (self._tokens, self._requests) if limit is not None]
        headers = await self._callers.admit(call, held, config)
        answer = await proceed(call)
        answer.headers += headers
        return answer

    async def _counted(self, call: Call, proceed: Proceed) -> Answer:
        """Hold a call to the limits of the config, as nearly always: these are counted without walking over any list."""
        who = _counted_as(call.principal)
        headers: RawHeaders = []
        if (limit := self._tokens) is not None:
            reading = limit.counters.read(who)
            if not isinstance(reading, Reading):
                reading = await reading
            used = limit.window.used(reading)
            if used >= limit.window.limit:
                raise limit.refusal(reading)
            headers = limit.headers(reading, used)
        if (limit := self._requests) is not None:
            reading = limit.counters.add(who, 1)
            if not isinstance(reading, Reading):
                reading = await reading
            used = limit.window.used(reading)
            if used > limit.window.limit:
                # What is refused does not count, or a client that hammers would stay out for good.
                raise limit.refusal(await read_now(limit.counters.add(who, -1)))
            headers += limit.headers(reading, used)
        answer = await proceed(call)
        answer.headers += headers
        return answer

    def finished(self, call: Call, outcome: Outcome) -> None:
        """Count the tokens that the call took."""
        principal = call.principal
        if not (self._limited or principal.limits is not None or self._policies or self._callers.running):
            return  # as in most calls of a gateway without limits
        usage = outcome.usage
        tokens = 0 if usage is None else usage.prompt_tokens + usage.completion_tokens
        if tokens and self._tokens is not None:
            self._tokens.counters.add_soon(_counted_as(principal), tokens)
        policy = self._policies.get(principal.tenant)
        of_tenant = policy and policy.limits
        if principal.limits is not None or of_tenant is not None or self._callers.running:
            self._callers.finished(call, held_for(principal, of_tenant), tokens)

    def _limit(self, what: str, amount: int | None) -> Limit | None:
        if amount is None:
            return None
        return Limit(what, amount, self.config.strategy, self._counters(what))

    def _counters(self, name: str) -> Counters:
        storage = self.context.counters
        if storage is None:
            return MemoryCounters()
        return SharedCounters(storage, f"gateway/{self.name}/{name}")


def _counted_as(principal: Principal) -> str:
    return principal.key or f"tenant:{principal.tenant}"
