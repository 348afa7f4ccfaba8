"""Carries requests with an `Idempotency-Key` out once, and answers their repetitions with the same answer."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field
from starlette.middleware import Middleware

from gateway.billing import OnSettled
from gateway.plugin import Context, Plugin, PluginConfig, hookimpl
from gateway_idempotency.bills import Bills
from gateway_idempotency.desk import Desk
from gateway_idempotency.gate import Gate


class IdempotencyConfig(PluginConfig):
    """The table `[middleware.idempotency]`."""

    hours: int = Field(
        default=24, ge=1, le=720, description="How long an answer is kept, from when its request came."
    )
    max_answer_bytes: int = Field(
        default=16_777_216,
        ge=1024,
        description="The largest answer that is kept, streams included. A repetition of what was answered with more gets 410.",
    )


class Idempotency(Plugin[IdempotencyConfig]):
    """Makes one call, and one bill, of requests that come several times with the same `Idempotency-Key`."""

    id = "middleware.idempotency"
    Config = IdempotencyConfig

    def __init__(self, name: str, config: IdempotencyConfig, context: Context) -> None:
        super().__init__(name, config, context)
        self._desk: Desk
        self._bills = Bills()

    async def startup(self) -> None:
        """Begin to give out keys."""
        self._bills.worker = self.context.worker
        self._desk = Desk(
            self.context.database,
            self.context.worker,
            seconds=self.config.hours * 3600.0,
            most=self.config.max_answer_bytes,
        )

    async def shutdown(self) -> None:
        await self._desk.stop()

    @hookimpl
    def register_asgi_middleware(self) -> Sequence[Middleware]:
        return (Middleware(Gate, lambda: self._desk, self._bills),)

    @hookimpl
    def register_billing(self) -> Sequence[OnSettled]:
        return (self._bills,)
