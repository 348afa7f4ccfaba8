"""What plugins hand to the gateway: objects with these shapes. All methods run on the event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from gateway.errors import GatewayError
from gateway.types import (
    Answer,
    Attempt,
    Call,
    Capability,
    CredentialKind,
    Dialect,
    HeldCredential,
    JobRequest,
    Outcome,
    Principal,
    Proceed,
    ProceedAttempt,
    RawHeaders,
    ReportCredential,
)
from gateway.wire import Given


class Incoming(Protocol):
    """A request on its way in, as an authenticator sees it."""

    method: str
    path: str
    """The path of the URL below the gateway's mount point, from the ASGI scope."""
    headers: Mapping[bytes, bytes]
    """Lower-case names; of a repeated header the last value."""
    client: str | None
    """The peer's address."""

    @property
    def header_list(self) -> RawHeaders:
        """All headers, in order: a repeated one stands here as often as it was sent."""
        ...

    @property
    def target(self) -> bytes:
        """Path and query as they were sent, the mount point included."""
        ...

    async def body(self) -> bytes:
        """The whole body, within the configured limit; read once and kept."""
        ...


class Reply(Protocol):
    """The way back to the client of one call, in the client's dialect."""

    started: bool
    """Whether anything was sent; after that, the status cannot change any more."""

    def whole(self, answer: Answer) -> Awaitable[None]:
        """Send an answer that is not streamed."""
        ...

    async def begin(self, answer: Answer) -> None:
        """Send the head of a streamed answer, unless a sign of life has already sent one."""
        ...

    def write(self, data: bytes) -> Awaitable[None]:
        """Send whole events, or do nothing when the client has gone.

        Returns `gateway.push.DONE` when they are on their way; else it waits for a slow client, and perhaps only then
        sends them.
        """
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

    def left(self) -> bool | None:
        """Whether the client has gone; None where only waiting for `gone` can tell, which costs a task for each call."""
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
    """What it can do, and in which wire format it wants each request; the gateway translates calls in others."""
    catalogue: str
    """Under which provider name the price book lists its models."""
    models: Sequence[str]
    """Upstream model names it is known to serve; may be empty. Others may be called all the same."""

    async def send(self, attempt: Attempt) -> Answer:
        """Send `attempt.body`; return the answer once its head is there. Raises `ProviderError` for all but success."""
        ...


@runtime_checkable
class Native(Protocol):
    """A provider that takes more dialects as they are than its `dialects` name."""

    def speaks(self, dialect: Dialect, model: str) -> bool:
        """Whether it takes a call in this dialect for this upstream model untranslated."""
        ...


@runtime_checkable
class Jobs(Protocol):
    """A provider that takes on work which takes longer than a call: films, for the present."""

    async def job(self, request: JobRequest) -> Answer:
        """Tell about a job in OpenAI's words, send its content as a stream, or delete it.

        https://platform.openai.com/docs/api-reference/videos. Raises `ProviderError` for everything but success.
        """
        ...


@runtime_checkable
class ListsModels(Protocol):
    """A provider whose service tells which models it has."""

    async def list_models(self) -> Sequence[str]:
        """Return the upstream names of all models; none where this service does not tell after all.

        Raises `ProviderError` when the service does not answer.
        """
        ...


@runtime_checkable
class UsesVault(Protocol):
    """A provider that can take credentials from the vault, and does when `takes_vault` is true."""

    name: str
    takes_vault: bool
    has_credentials: bool  # for tenants without their own
    credential_kinds: Sequence[CredentialKind]

    def use_credentials(self, held: Sequence[HeldCredential], report: ReportCredential) -> None:
        """Use these from now on, besides those of the config; of a tenant's own, only that tenant's calls."""
        ...

    def credential_hint(self, kind: str, fields: Mapping[str, str]) -> str:
        """Return the text by which people know one, to be masked. Raises `ConfigError` when it is none."""
        ...

    async def try_credential(self, kind: str, fields: Mapping[str, str]) -> bool:
        """Show the service one; False where it has nothing to ask. Raises `ProviderError` when it is not taken."""
        ...


@runtime_checkable
class Forwards(Protocol):
    """A provider with paths of its own that clients may use, at `/provider/NAME/…`."""

    query_credentials: frozenset[str]
    """Parameters of a URL that hold a credential: a client's is never handed on."""
    paths: OwnPaths | None
    """None when there are none."""

    def dialect_of(self, method: str, path: str) -> tuple[Dialect, Given] | None:
        """What kind of call a request is, when it is one; the path is decoded, and below the provider's base URL."""
        ...

    def names_model(self, path: str) -> str | None:
        """The model that a declared path names, if any."""
        ...


class OwnPaths(Protocol):
    """What a provider has below its base URL."""

    def below(self, path: str) -> str:
        """Return the path without what the base URL ends in anyway."""
        ...

    def declared(self, method: str, path: str) -> str | None:
        """Return the declared path that covers this one; None when none does."""
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
class SignIn(Protocol):
    """A way for people to sign in with a browser. Its routes are registered beside it, and end in a session.

    A plain link gets `?next=PATH`, below the mount point, and `&invitation=TOKEN` where somebody was invited. To add
    the way to an account, its `start` is sent a form by POST, with `csrf_token` and `next`.

    A script finds a `<button data-sign-in="NAME" data-start data-next data-invitation data-add data-csrf hidden>`, and
    shows it where the browser can do what it takes; after it stands an empty `<div data-sign-in-panel="NAME">` for more.
    `data-next` is where to go in the end, ready to be followed; `data-add` is `true` on a page that adds the way to
    the account: then requests carry `x-csrf-token`. Words for people go into the page's `[data-sign-in-status]`.
    """

    name: str
    """Unique, as `oidc-google`; names the button on the page."""
    title: str
    """What the button says after "Continue with", as `Google`."""
    start: str
    """The path that begins it, below the mount point: followed as a link, or what the script asks first."""
    script: str | None
    """The path of a script of its own; it finds its button as `[data-sign-in="NAME"]`. None for a plain link."""


@runtime_checkable
class AdminEndpoint(Protocol):
    """An operation of the admin API: what a `gateway.admin.endpoint.Endpoint` is."""

    method: str
    path: str
    """Below `/admin/api`."""
    permissions: Sequence[str]
    """Any of these is enough."""


@runtime_checkable
class AroundCall(Protocol):
    """Runs once per client call, before the ledger opens it."""

    def around_call(self, call: Call, proceed: Proceed) -> Awaitable[Answer]:
        """Return `await proceed(call)`, or an answer of your own, or raise a `GatewayError`; usually an `async def`."""
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

        Raise `gateway.errors.Undelivered` where some records alone were not taken, anything else while the far side is
        away. Each record is a ledger row as `gateway calls --json` prints it; its `id` lets the far side deduplicate.
        """
        ...


@runtime_checkable
class Transport(Protocol):
    """Another way for calls to come in, beside HTTP: runs from start-up to shutdown."""

    name: str

    async def serve(self, app: Any) -> None:
        """Accept calls and hand them to the ASGI application; return when cancelled."""
        ...
