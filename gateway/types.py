"""The values that travel through the gateway: small, frozen where they describe a request, and free of I/O."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, Literal, TypeAlias

from msgspec import Struct

Capability: TypeAlias = Literal[
    "chat",
    "responses",
    "completion",
    "embedding",
    "image",
    "speech",
    "transcription",
    "moderation",
    "rerank",
    "action",
]
"""What a client asks for."""

Dialect: TypeAlias = str
"""A wire format by its name: `openai.chat`, `openai.embeddings`, `anthropic.messages` and so on."""

Status: TypeAlias = Literal["processing", "success", "failed", "cancelled"]
"""The state of a call in the ledger. `processing` is the intent; the others are final."""

RawHeaders: TypeAlias = list[tuple[bytes, bytes]]
"""HTTP headers as ASGI carries them: lower-case names, in order."""

NANO = 1_000_000_000
"""Money is counted in integers of 10⁻⁹ of the price book's currency."""


PRINCIPAL_NAMES: Final = (("tenant", 64), ("user", 200), ("key", 40), ("key_name", 200))
"""The fields of a principal that the ledger holds, and how long they may be."""


class Principal(Struct, frozen=True, kw_only=True):
    """Who calls, for whom, and which authenticator said so.

    Raises ValueError for a name that the ledger cannot hold: they are printable, `tenant` has at most 64 characters,
    `key` at most 40, `user` and `key_name` at most 200. Checked here once, so that no call has to be checked for it.
    """

    tenant: str
    authenticator: str
    user: str | None = None
    key: str | None = None
    """Id of the API key, never the key."""
    key_name: str | None = None
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    models: tuple[str, ...] | None = None
    """Names (or `prefix*` patterns) that may be called; None allows all."""

    def __post_init__(self) -> None:
        """Refuse names that the ledger cannot hold."""
        for field, longest in PRINCIPAL_NAMES:
            name: str | None = getattr(self, field)
            if name is not None and not (len(name) <= longest and name.isprintable()):
                raise ValueError(f"Principal.{field} must be printable and at most {longest} characters long")

    def may_use(self, model: str) -> bool:
        """Whether the allow-list admits the model name that the client sent."""
        if self.models is None:
            return True
        return any(
            model == name or (name.endswith("*") and model.startswith(name[:-1])) for name in self.models
        )


class Call(Struct, frozen=True, kw_only=True):
    """One client request for a capability."""

    id: str
    """Time-ordered, unique; the ledger's primary key."""
    request_id: str
    """Sent back as `x-request-id`."""
    client_request_id: str | None
    """The client's own `x-client-request-id`."""
    capability: Capability
    dialect: Dialect
    model: str
    """As the client wrote it."""
    stream: bool
    shows_usage: bool
    """Whether the client asked to see usage in its stream."""
    body: bytes
    """The request body as it arrived, in `dialect`."""
    principal: Principal
    received_at: float
    """Unix seconds."""


class Target(Struct, frozen=True):
    """A provider instance and the model name it knows upstream."""

    provider: str
    model: str


class Attempt(Struct, frozen=True, kw_only=True):
    """One try of a call at one target."""

    call: Call
    target: Target
    number: int
    """1 for the first try of the call."""
    body: bytes
    """The request in the provider's dialect, ready to be sent."""


class Usage(Struct, frozen=True, kw_only=True):
    """What a call consumed. `prompt_tokens` include the cached ones, `completion_tokens` the reasoning ones."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_read_tokens: int = 0
    cached_write_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False
    """True when the provider never said and the gateway counted by itself."""


class Answer:
    """A provider's successful answer: a whole body, or a stream of byte chunks.

    `stream` yields bytes as they arrive, cut anywhere; it raises `ProviderError` when the provider breaks off.
    `close` releases the connection; it may be called at any time, and more than once.
    `scrub` removes the provider's credentials from the words of an error inside the stream.
    """

    __slots__ = ("body", "close", "headers", "scrub", "status", "stream")

    def __init__(
        self,
        status: int,
        headers: RawHeaders,
        *,
        body: bytes = b"",
        stream: AsyncIterator[bytes] | None = None,
        close: Callable[[], None] | None = None,
        scrub: Callable[[str], str] = str,
    ) -> None:
        self.status = status
        self.headers = headers
        """Headers for the client; interceptors may append."""
        self.body = body
        self.stream = stream
        self.close = close
        self.scrub = scrub


class Outcome(Struct, kw_only=True):
    """What became of a call: filled in while it runs, written to the ledger when it ends."""

    status: Status = "processing"
    provider: str | None = None
    upstream_model: str | None = None
    attempts: int = 0
    http_status: int = 0
    """What the client was told; 0 when nothing was sent."""
    first_byte_at: float | None = None
    """Unix seconds of the first byte from the provider."""
    ended_at: float = 0.0
    usage: Usage | None = None
    price_version: str | None = None
    cost: int | None = None
    """In 10⁻⁹ of the price book's currency; None when the price is unknown."""
    error_code: str | None = None
    error_message: str | None = None


class ModelInfo(Struct, frozen=True, kw_only=True):
    """A model as `GET /v1/models` lists it."""

    id: str
    owned_by: str
    created: int = 0


Proceed: TypeAlias = Callable[[Call], Awaitable[Answer]]
"""The rest of the way of a call, as an interceptor sees it."""

ProceedAttempt: TypeAlias = Callable[[Attempt], Awaitable[Answer]]
"""The rest of the way of an attempt."""
