"""What plugins hand to the gateway: objects with these shapes. All methods run on the event loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from gateway.errors import GatewayError
from gateway.types import (
    Answer,
    Attempt,
    Call,
    Capability,
    Dialect,
    Outcome,
    Principal,
    Proceed,
    ProceedAttempt,
)


class Incoming(Protocol):
    """A request on its way in, as an authenticator sees it."""

    method: str
    path: str
    """The path of the URL below the gateway's mount point, from the ASGI scope."""
    headers: Mapping[bytes, bytes]
    """Lower-case names; of a repeated header the last value."""
    client: str | None
    """The peer's address."""

    async def body(self) -> bytes:
        """The whole body, within the configured limit; read once and kept."""
        ...


class Reply(Protocol):
    """The way back to the client of one call, in the client's dialect."""

    started: bool
    """Whether anything was sent; after that, the status cannot change any more."""

    async def whole(self, answer: Answer) -> None:
        """Send an answer that is not streamed."""
        ...

    async def begin(self, answer: Answer) -> None:
        """Send the head of a streamed answer, unless a sign of life has already sent one."""
        ...

    async def write(self, data: bytes) -> None:
        """Send whole events; waits while the client is slow, and does nothing once it has gone."""
        ...

    async def end(self) -> None:
        """End a stream cleanly."""
        ...

    async def fail(self, error: GatewayError) -> None:
        """Send an error: as a whole answer, or into a stream that has begun, which then does not end cleanly."""
        ...

    async def gone(self) -> None:
        """Wait until the client has gone."""
        ...

    def keep_alive(self, seconds: float) -> None:
        """Send a sign of life on a stream when nothing was sent for so many seconds."""
        ...


@runtime_checkable
class Provider(Protocol):
    """Sends calls to one AI service."""

    name: str
    """The instance name in plugins.toml: `provider.NAME`."""
    dialects: Mapping[Capability, Dialect]
    """What it can do, and in which wire format it wants each request."""
    catalogue: str
    """Under which provider name the price book lists its models."""
    models: Sequence[str]
    """Upstream model names it is known to serve; may be empty. Others may be called all the same."""

    async def send(self, attempt: Attempt) -> Answer:
        """Send `attempt.body`; return the answer as soon as its head is there.

        Raises `ProviderError` for everything but success.
        """
        ...


@runtime_checkable
class Authenticator(Protocol):
    """Recognises one kind of credential."""

    async def authenticate(self, incoming: Incoming) -> Principal | None:
        """The principal; None when the request holds no credential of this kind.

        Raises `AuthenticationFailed` when it holds one that is not good, `Unavailable` when that cannot be told.
        """
        ...


@runtime_checkable
class AroundCall(Protocol):
    """Runs once per client call, before the ledger opens it."""

    async def around_call(self, call: Call, proceed: Proceed) -> Answer:
        """Return `await proceed(call)`, or an answer of your own, or raise a `GatewayError`."""
        ...


@runtime_checkable
class AroundAttempt(Protocol):
    """Runs once per try at a target."""

    async def around_attempt(self, attempt: Attempt, proceed: ProceedAttempt) -> Answer:
        """Return `await proceed(attempt)`; a `ProviderError` moves the call on to its next target."""
        ...


@runtime_checkable
class OnFinished(Protocol):
    """Is told how each call ended, refused ones included."""

    def finished(self, call: Call, outcome: Outcome) -> None:
        """Called once per call, synchronously: count, do not wait."""
        ...


@runtime_checkable
class Billing(Protocol):
    """Adds rows of its own to the transactions that open and settle a call."""

    def on_open(self, call: Call) -> Sequence[Any]:
        """`gateway.store.Write`s that join the intent; a guarded one that fails refuses the call."""
        ...

    def on_settle(self, call: Call, outcome: Outcome) -> Sequence[Any]:
        """`gateway.store.Write`s that join the settlement; skipped when the call was settled before."""
        ...


@runtime_checkable
class Sink(Protocol):
    """Receives settled calls from the outbox, at least once, in batches."""

    name: str
    """Unique; the outbox remembers per sink how far it has come."""

    async def deliver(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Hand the records on; returning means they are safe. Raising means they come again later.

        Each record is a ledger row as `gateway calls --json` prints it; its `id` lets the far side deduplicate.
        """
        ...


@runtime_checkable
class Transport(Protocol):
    """Another way for calls to come in, beside HTTP: runs from start-up to shutdown."""

    name: str

    async def serve(self, app: Any) -> None:
        """Accept calls and hand them to the ASGI application; return when cancelled."""
        ...
