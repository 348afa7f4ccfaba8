"""The values that travel through the gateway: small, frozen where they describe a request, and free of I/O."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Final, Literal, Protocol, TypeAlias

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
    "video",
    "realtime",
    "tokens",
    "passthrough",
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


MAKE_CALLS: Final = "calls.make"
"""The permission to call models; the others are in `gateway.identity.permissions`."""

PRINCIPAL_NAMES: Final = (("tenant", 64), ("user", 200), ("key", 40), ("key_name", 200))
"""The fields of a principal that the ledger holds, and how long they may be."""


class CallLimits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much a caller may use; None is without limit."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent: int | None = None
    """Calls at the same time."""


class Principal(Struct, frozen=True, kw_only=True):
    """Who calls, for whom, and which authenticator said so.

    Raises ValueError for a name that the ledger cannot hold: they are printable, `tenant` has at most 64 characters,
    `key` at most 40, `user` and `key_name` at most 200. Checked here once, so that no call has to be checked for it.
    """

    tenant: str
    authenticator: str
    user: str | None = None
    """Id of the user or the service account; of a component, its key id."""
    key: str | None = None
    """Id of the API key, never the key."""
    key_name: str | None = None
    session: str | None = None
    """Id of the session, when it is one that calls."""
    roles: frozenset[str] = frozenset()
    """For people to read: what may be done is in `scopes`."""
    scopes: frozenset[str] = frozenset({MAKE_CALLS})
    """The permissions that it has in its tenant."""
    limits: CallLimits | None = None
    """Its own; those of its tenant hold besides."""
    models: tuple[str, ...] | None = None
    """Names (or `prefix*` patterns) that may be called; None allows all."""
    endpoints: tuple[str, ...] | None = None
    """Paths (or `prefix*` patterns) that may be used; None allows all."""
    providers: tuple[str, ...] | None = None
    """Names of the providers that may be asked; None allows all."""

    def __post_init__(self) -> None:
        """Refuse names that the ledger cannot hold."""
        for field, longest in PRINCIPAL_NAMES:
            name: str | None = getattr(self, field)
            if name is not None and not (len(name) <= longest and name.isprintable()):
                raise ValueError(f"Principal.{field} must be printable and at most {longest} characters long")

    def may(self, permission: str) -> bool:
        """Whether it has a permission in its tenant."""
        return permission in self.scopes

    def may_use(self, model: str) -> bool:
        """Whether the allow-list admits the model name that the client sent."""
        return self.models is None or _admits(self.models, model)

    def may_reach(self, path: str) -> bool:
        """Whether the allow-list admits a path below the gateway's mount point."""
        return self.endpoints is None or _admits(self.endpoints, path)


def _admits(patterns: Sequence[str], value: str) -> bool:
    return any(value == each or (each.endswith("*") and value.startswith(each[:-1])) for each in patterns)


def narrowed(one: tuple[str, ...] | None, other: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The allow-list that admits what both admit; each holds names and `prefix*` patterns, None admits all."""
    if one is None or other is None:
        return other if one is None else one
    both = (_common(a, b) for a in one for b in other)
    return tuple(dict.fromkeys(name for name in both if name is not None))


def _common(one: str, other: str) -> str | None:
    """What two entries of allow-lists both admit is one entry, too: the narrower one, or nothing."""
    if one == other:
        return one
    for wide, narrow in ((one, other), (other, one)):
        if wide.endswith("*") and narrow.startswith(wide[:-1]):
            return narrow
    return None


class OwnPath(Struct, frozen=True, kw_only=True):
    """A request for a path of a provider's own."""

    method: str
    path: str
    """Below the provider's base URL, encoded as the client sent it."""
    query: str
    """As the client sent it, without the question mark."""
    headers: RawHeaders
    """The client's headers that go on."""
    model: str | None
    """The model that it names, where the gateway can tell."""


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
    content_type: str = "application/json"
    """Of the body."""
    principal: Principal
    received_at: float
    """Unix seconds."""
    forwarded: Sequence[tuple[bytes, bytes]] = ()
    """Headers of the client's that a provider of the same dialect is to get, as `anthropic-beta`."""
    provider: str | None = None
    """The only one that may be asked, where the path names it."""
    own: OwnPath | None = None
    """Where it goes, when that is no endpoint of the gateway's."""
    batch: bool = False
    """Whether its provider carries it out in a batch of its own, when it likes and for less."""

    @property
    def asks_for(self) -> str | None:
        """The name that the caller's allow-list of models must admit; None when no model is asked for."""
        if self.provider is None:
            return self.model
        model = self.model if self.own is None else self.own.model
        return None if model is None else f"{self.provider}/{model}"


class Target(Struct, frozen=True):
    """A provider instance and the model name it knows upstream."""

    provider: str
    model: str
    dialect: Dialect = ""
    """In which the provider wants the call; filled in by the routing table."""


class Attempt(Struct, frozen=True, kw_only=True):
    """One try of a call at one target."""

    call: Call
    target: Target
    number: int
    """1 for the first try of the call."""
    body: bytes
    """The request in the provider's dialect, which is `target.dialect`, ready to be sent."""
    content_type: str = "application/json"
    """Of the body."""


MOST_TOKENS = 2**31 - 1
"""The most that is believed of a provider, and that a ledger row holds."""


class Usage(Struct, frozen=True, kw_only=True):
    """What a call consumed. `prompt_tokens` include the cached ones, `completion_tokens` the reasoning ones."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_read_tokens: int = 0
    cached_write_tokens: int = 0
    reasoning_tokens: int = 0
    audio_prompt_tokens: int = 0
    """Among the prompt tokens."""
    audio_completion_tokens: int = 0
    """Among the completion tokens."""
    images: int = 0
    """Pictures that were made."""
    size: str = ""
    """Of the pictures or the film, as `1024x1536`; empty where nothing was said."""
    quality: str = ""
    """Of the pictures, as `high`; empty where nothing was said."""
    seconds: float = 0.0
    """Of sound or film that was made or listened to."""
    characters: int = 0
    """Of text that was spoken, where the provider counts so."""
    searches: int = 0
    """Searches and documents ranked, where the provider counts so."""
    file_searches: int = 0
    """Searches in files that the provider keeps."""
    containers: int = 0
    """In which the provider ran code of the model's."""
    batch_percent: int = 0
    """Taken off because the provider did the work in a batch, when it liked; fees of tools are not made less."""
    estimated: bool = False
    """True when the provider never said and the gateway counted by itself."""

    def is_credible(self) -> bool:
        """Whether the counts of tokens can be true: none is negative, or more than a ledger row holds."""
        texts = self.prompt_tokens | self.completion_tokens | self.reasoning_tokens
        # Of numbers joined bit by bit, the sign and the length are those of the worst.
        return 0 <= texts | self.cached_read_tokens | self.cached_write_tokens <= MOST_TOKENS

    def is_text_only(self) -> bool:
        """Whether nothing but text was consumed, as in plain chats."""
        return not (
            self.images
            or self.seconds
            or self.characters
            or self.searches
            or self.file_searches
            or self.containers
            or self.audio_prompt_tokens
            or self.audio_completion_tokens
        )


class Session(Protocol):
    """The way to the provider, in an answer that goes on for as long as both sides talk."""

    async def send(self, message: str | bytes) -> None:
        """Hand on a message of the client's; waits while the provider is slow."""
        ...

    async def close(self) -> None:
        """End the session: the answer's stream then ends, too."""
        ...


class Answer(Struct, eq=False):
    """A provider's successful answer: a whole body, or a stream of byte chunks.

    `stream` yields bytes as they arrive, cut anywhere; it raises `ProviderError` when the provider breaks off. One that
    also has the method `push` of `gateway.push.Pushes` hands its chunks on without waking a task for each.
    `close` releases the connection; it may be called at any time, and more than once.
    `scrub` removes the provider's credentials from the words of an error inside the stream.
    """

    status: int
    headers: RawHeaders
    """Headers for the client; interceptors may append."""
    body: bytes = b""
    stream: AsyncIterator[bytes] | None = None
    close: Callable[[], None] | None = None
    scrub: Callable[[str], str] = str
    credential: str = ""
    """A mark of the credential it was got with, which may be needed again to ask after a job."""
    session: Session | None = None
    """The way back to the provider, where the client may go on talking; each chunk of `stream` is a message."""


class CredentialField(Struct, frozen=True, kw_only=True):
    """One of the texts that make up a credential."""

    name: str
    """As the setting of the provider that it stands for."""
    description: str
    required: bool
    secret: bool
    """Whether it must never be shown, nor given as an argument of a command."""


class CredentialKind(Struct, frozen=True, kw_only=True):
    """A kind of credential that a provider takes: one text, as an API key, or several that belong together."""

    name: str
    fields: tuple[CredentialField, ...]


class HeldCredential(Struct, frozen=True, kw_only=True):
    """A credential of the vault, as the provider that uses it gets it."""

    tenant: str
    """Whose it is; '' for the operator's."""
    id: str
    kind: str
    fields: Mapping[str, str] | None
    """None where it cannot be opened."""
    weight: int
    enabled: bool

    def __repr__(self) -> str:
        return f"HeldCredential({self.id})"


ReportCredential: TypeAlias = Callable[[HeldCredential, str | None], None]
"""Told how a call with a credential went: None, or what the service said against it, without secrets."""


class JobRequest(Struct, frozen=True, kw_only=True):
    """What is asked about a job that a provider has taken on."""

    action: Literal["show", "content", "delete"]
    id: str
    """The provider's own."""
    model: str
    """As the provider calls it."""
    credential: str = ""
    """The mark of the credential that started it."""
    tenant: str = ""
    """Whose job it is."""
    variant: str | None = None
    """Which of the contents, as the client names it: `video`, `thumbnail`, `spritesheet`."""


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
    """What the provider asks, in 10⁻⁹ of the price book's currency; None when the price is unknown."""
    charge: int | None = None
    """What the caller is asked, in 10⁻⁹ credit; None when the price is unknown."""
    selling: str | None = None
    """How `cost` became `charge`: the rule's id, or the terms of the config; None where they are the same."""
    error_code: str | None = None
    error_message: str | None = None


class ModelInfo(Struct, frozen=True, kw_only=True):
    """A model as `GET /v1/models` lists it."""

    id: str
    owned_by: str
    created: int = 0
    """Unix seconds of its release; 0 where that is not known, as None below."""
    kind: str | None = None
    """What it is for: a word of `gateway.catalogue.KINDS`."""
    context_window: int | None = None
    """The most tokens that a request may have."""
    max_output_tokens: int | None = None
    capabilities: Sequence[str] | None = None
    """Words of `gateway.catalogue.CAPABILITIES`."""
    pricing: Mapping[str, object] | None = None
    """Rates in force, as the catalogue names them: those of tokens and characters per million."""
    retires: str | None = None
    """The day from which its provider refuses it, as `2026-12-31`."""


Proceed: TypeAlias = Callable[[Call], Awaitable[Answer]]
"""The rest of the way of a call, as an interceptor sees it."""

ProceedAttempt: TypeAlias = Callable[[Attempt], Awaitable[Answer]]
"""The rest of the way of an attempt."""
