"""Refuses calls beyond a number of requests or tokens per minute, for each API key and each tenant."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from gateway.plugin import Context, Plugin, PluginConfig, hookimpl
from gateway_ratelimit.callers import CallerLimits, Held, held_for
from gateway_ratelimit.counters import Counters, MemoryCounters, SharedCounters
from gateway_ratelimit.limit import Limit
from gateway_ratelimit.local import LocalLimits
from gateway_ratelimit.windows import Strategy, What

if TYPE_CHECKING:
    from gateway.protocols import AroundCall, OnFinished
    from gateway.types import Answer, Call, Outcome, Principal, Proceed


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
        self._limits: Sequence[Limit] = ()
        """Those of the config, tokens first."""
        self._counts_tokens = config.tokens_per_minute is not None
        self._counters: Counters
        self._local: LocalLimits | None = None
        """The limits of the config once more, where nobody else counts for them."""
        self._callers: CallerLimits
        self._policies = context.tenants.policies

    async def startup(self) -> None:
        """Begin to count, in the shared storage when a plugin gives one."""
        strategy, storage = self.config.strategy, self.context.counters
        own: Counters
        if storage is None:
            self._counters, own = MemoryCounters(), MemoryCounters()
        else:
            self._counters = SharedCounters(storage, f"gateway/{self.name}")
            own = SharedCounters(storage, f"gateway/{self.name}/own")
        self._callers = CallerLimits(own, strategy)
        tokens = self._limit("tokens", self.config.tokens_per_minute)
        requests = self._limit("requests", self.config.requests_per_minute)
        self._limits = [limit for limit in (tokens, requests) if limit is not None]
        if self._limits and isinstance(self._counters, MemoryCounters):
            self._local = LocalLimits(tokens, requests, self._counters, strategy)

    async def shutdown(self) -> None:
        await self._counters.close()
        await self._callers.close()

    @hookimpl
    def register_interceptors(self) -> Sequence[AroundCall | OnFinished]:
        return (self,)

    def around_call(self, call: Call, proceed: Proceed) -> Awaitable[Answer]:
        """Let the call through, and tell in its answer how much is left. Raises `RateLimited`."""
        principal = call.principal
        policy = self._policies.get(principal.tenant)
        if principal.limits is not None or (policy is not None and policy.limits is not None):
            return self._walked(call, proceed, held_for(principal, policy and policy.limits))
        if self._local is not None:
            return self._counted(call, proceed, self._local)
        if self._limits:
            return self._walked(call, proceed, ())
        return proceed(call)

    async def _counted(self, call: Call, proceed: Proceed, limits: LocalLimits) -> Answer:
        """Hold a call to the limits of the config alone, as nearly always."""
        headers = limits.admit(call.principal.key or _tenant_of(call.principal))
        answer = await proceed(call)
        answer.headers += headers
        return answer

    async def _walked(self, call: Call, proceed: Proceed, held: Sequence[Held]) -> Answer:
        """Hold a call to the limits of its caller and its tenant, and to those of the config."""
        who = call.principal.key or _tenant_of(call.principal)
        headers = await self._callers.admit(call, held, [(limit, who) for limit in self._limits])
        answer = await proceed(call)
        answer.headers += headers
        return answer

    def finished(self, call: Call, outcome: Outcome) -> None:
        """Count the tokens that the call took."""
        usage = outcome.usage
        tokens = 0 if usage is None else usage.prompt_tokens + usage.completion_tokens
        principal = call.principal
        if tokens and self._counts_tokens:
            self._counters.spend(principal.key or _tenant_of(principal), tokens)
        if principal.limits is not None or self._policies or self._callers.running:
            policy = self._policies.get(principal.tenant)
            self._callers.finished(call, held_for(principal, policy and policy.limits), tokens)

    def _limit(self, what: What, amount: int | None) -> Limit | None:
        return None if amount is None else Limit(what, amount, self.config.strategy, self._counters)


def _tenant_of(principal: Principal) -> str:
    """Under which name is counted for callers without a key."""
    return f"tenant:{principal.tenant}"
