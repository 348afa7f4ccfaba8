"""The settings of the core: the tables `[gateway]` and `[models.NAME]`."""

from __future__ import annotations

import re
from decimal import Decimal
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from gateway.secrets import Secret

TARGET = re.compile(r"^[^:/\s]+:\S+$")
"""`provider:model`; the model may hold more colons and slashes."""

Seconds = Annotated[float, Field(gt=0)]
Price = Annotated[Decimal, Field(ge=0)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Timeouts(_Table):
    """How long the gateway waits for a provider."""

    connect: Seconds = Field(
        default=5, description="Seconds to connect, TLS handshake and waiting for a free connection included."
    )
    first_byte: Seconds = Field(
        default=300, description="Seconds from the request to the first byte of the answer."
    )
    idle: Seconds = Field(default=120, description="Seconds of silence allowed within an answer.")
    total: Seconds = Field(default=900, description="Seconds from the request to the end of the answer.")
    session: Seconds = Field(default=3600, description="Seconds that a realtime session may last.")


class Upstream(_Table):
    """The connections to providers."""

    max_connections: int = Field(
        default=1000, ge=1, description="Open connections per origin; further calls wait their turn."
    )
    max_idle: int = Field(default=256, ge=0, description="Idle connections kept open per origin.")
    max_answer_bytes: int = Field(
        default=64 * 2**20, ge=1, description="Largest answer, in bytes, that is not streamed."
    )


class Prices(_Table):
    """What calls cost, and what callers are charged."""

    margin_percent: Decimal = Field(
        default=Decimal(0),
        ge=-100,
        le=100_000,
        description="Added to what a provider asks; negative for a discount.",
    )
    credit_price: Decimal = Field(
        default=Decimal(1), gt=0, description="What one credit is worth, in currency units."
    )
    answer_tokens: int = Field(
        default=4096,
        ge=1,
        description="The longest answer to reckon with before a call whose client sets no bound, in tokens; "
        "never more than the model can write.",
    )
    unknown: Literal["flag", "refuse", "fallback"] = Field(
        default="flag",
        description="A model without a price: `flag` calls it and records no cost, `refuse` answers 400, "
        "`fallback` charges `fallback_input` and `fallback_output`.",
    )
    fallback_input: Price | None = Field(default=None, description="Currency units per million input tokens.")
    fallback_output: Price | None = Field(
        default=None, description="Currency units per million output tokens."
    )
    book: Path | None = Field(
        default=None, description="A price file whose entries are added to those that ship."
    )
    selling_book: Path | None = Field(
        default=None,
        description="A price file with what is asked of callers, in credits; what it does not list is asked as cost and margin.",
    )

    @field_validator("book", "selling_book")
    @classmethod
    def _beside_the_config(cls, book: Path | None, info: ValidationInfo) -> Path | None:
        return None if book is None else _folder(info) / book.expanduser()

    @model_validator(mode="after")
    def _fallback_has_prices(self) -> Self:
        if self.unknown == "fallback" and None in (self.fallback_input, self.fallback_output):
            raise ValueError("unknown = 'fallback' needs fallback_input and fallback_output")
        return self


def _network(entry: str) -> str:
    try:
        return str(ip_network(entry))
    except ValueError:
        raise ValueError(f"'{entry}' is no network or address, as 10.0.0.0/8 and 192.0.2.7 are") from None


Network = Annotated[str, AfterValidator(_network)]


class Egress(_Table):
    """Where requests may go that are not for a provider's own base URL."""

    allow: tuple[Network, ...] = Field(
        default=(),
        description="Networks and addresses that URLs set by users may lead to, beside public ones: `10.0.0.0/8`. The metadata "
        "service of a cloud is refused to every URL, unless its very address is named here.",
    )


class Files(_Table):
    """The files that clients upload, for batches above all."""

    provider: str | None = Field(
        default=None,
        description="Name of the provider that keeps the files and carries out the batches; the gateway itself when not set.",
    )
    google: str | None = Field(
        default=None,
        description="Name of the provider that keeps files and caches for Google's clients, and carries out their batches.",
    )
    max_bytes: int | None = Field(
        default=None, ge=1, description="Largest file, in bytes; `max_body_bytes` when not set."
    )
    max_tenant_bytes: int = Field(
        default=10 * 2**30, ge=1, description="The most bytes that the files of one tenant may hold together."
    )


class Batches(_Table):
    """The batches of requests."""

    concurrency: int = Field(
        default=8, ge=1, description="Calls that all batches of a process make at the same time."
    )


class Identity(_Table):
    """How people come in, and where they find the gateway."""

    sign_up: Literal["invited", "open", "personal"] = Field(
        default="invited",
        description="Who signs in for the first time needs an invitation (`invited`), becomes a member of "
        "`sign_up_tenant` (`open`), or owns a tenant of their own (`personal`).",
    )
    sign_up_tenant: str = Field(default="default", description="The tenant that newcomers join.")
    sign_up_role: str = Field(default="member", description="The role that newcomers get there.")
    operator_tenant: str = Field(
        default="default", description="The tenant whose owners and admins administer the whole gateway."
    )
    access_minutes: float = Field(
        default=15, gt=0, le=1440, description="Minutes for which an access token of a session is good."
    )
    session_days: float = Field(
        default=30, gt=0, description="Days after which a session that nobody uses ends."
    )
    sign_ins_per_minute: int = Field(
        default=60,
        ge=0,
        description="Sign-ins that may be begun from one address in a minute, over all workers; more are answered with 429. "
        "0 for no limit.",
    )
    public_url: str = Field(
        default="http://localhost:8080",
        pattern=r"^https?://[^/\s]+(/[^\s]*[^/\s])?$",
        description="The address under which browsers reach the gateway, its mount point included; no slash at the end.",
    )


class VaultKeys(_Table):
    """The master keys of the vault, in which credentials of providers are sealed."""

    master_key: Secret | None = Field(
        default=None,
        description="The key that seals: 32 bytes in base64, as `gateway vault init` makes them.",
    )
    previous_keys: tuple[Secret, ...] = Field(
        default=(),
        description="Keys that still open what was sealed with them, until `gateway vault rotate`.",
    )
    master_key_command: tuple[str, ...] = Field(
        default=(),
        description="A command and its arguments that prints the keys instead, one a line; the first seals.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.master_key_command and (self.master_key or self.previous_keys):
            raise ValueError("master_key_command prints all keys; leave out master_key and previous_keys")
        if self.previous_keys and self.master_key is None:
            raise ValueError("previous_keys only open; name the key that seals in master_key")
        return self

    def keys(self) -> tuple[str, ...]:
        """Return the keys that stand in the config; the first seals."""
        given = (*((self.master_key,) if self.master_key else ()), *self.previous_keys)
        return tuple(key.reveal() for key in given)


class Settings(_Table):
    """The table `[gateway]`."""

    database: Secret = Field(
        default=Secret("sqlite:///gateway.db"),
        description="URL of the database: `sqlite:///file.db` (relative to this file) or "
        "`postgresql://user@host/name`; may be given as a secret.",
    )
    durability: Literal["intent", "settle"] = Field(
        default="intent",
        description="When a call is durable: `intent` before the provider is called, `settle` only when it has ended.",
    )
    on_disconnect: Literal["cancel", "drain"] = Field(
        default="cancel",
        description="When the client goes away: `cancel` the provider's answer, or `drain` it to learn its usage.",
    )
    trusted_proxies: tuple[Network, ...] = Field(
        default=(),
        description="Networks and addresses of reverse proxies whose word about the client's address is taken: `10.0.0.0/8`. "
        "Whoever else sends such a header is not believed.",
    )
    forwarded_header: Literal["x-forwarded-for", "forwarded"] = Field(
        default="x-forwarded-for", description="The header in which they say so."
    )
    failures_per_minute: int = Field(
        default=100,
        ge=0,
        description="Wrong credentials from one address in a minute, after which further ones are answered with 429, in each "
        "process; good ones always work. 0 for no limit.",
    )
    max_body_bytes: int = Field(default=32 * 2**20, ge=1, description="Largest request body, in bytes.")
    keepalive_seconds: Seconds = Field(
        default=15, description="Seconds between keep-alive comments while a stream is silent."
    )
    drain_seconds: float = Field(
        default=30, ge=0, description="Seconds that running calls get to finish on shutdown."
    )
    drop_params: bool | tuple[str, ...] = Field(
        default=(
            "built_in_calls",
            "cache_control",
            "cache_key",
            "metadata",
            "service_tier",
            "task",
            "thinking",
            "tools.strict",
            "user",
        ),
        description="Parameters that may be left out where a provider cannot be told them: a list of names, `true` for all, "
        "`false` for none. Others are refused. What was left out is told in the header `x-gateway-dropped`.",
    )
    responses_days: float = Field(
        default=30, gt=0, description="Days for which responses of `/v1/responses` are stored."
    )
    files: Files = Field(default_factory=Files, description="The files that clients upload.")
    identity: Identity = Field(
        default_factory=Identity, description="How people come in, and where they find the gateway."
    )
    vault: VaultKeys = Field(
        default_factory=VaultKeys, description="The keys of the vault, which keeps credentials of providers."
    )
    batches: Batches = Field(default_factory=Batches, description="The batches of requests.")
    egress: Egress = Field(default_factory=Egress, description="Where requests of the gateway may go.")
    timeouts: Timeouts = Field(default_factory=Timeouts, description="How long to wait for a provider.")
    upstream: Upstream = Field(default_factory=Upstream, description="The connections to providers.")
    prices: Prices = Field(default_factory=Prices, description="What calls cost.")

    @field_validator("database")
    @classmethod
    def _beside_the_config(cls, database: Secret, info: ValidationInfo) -> Secret:
        scheme, separator, rest = database.reveal().partition(":///")
        if scheme != "sqlite" or not separator or rest.startswith(("/", ":memory:")):
            return database
        return database.replace(f"sqlite:///{_folder(info) / rest}")


class ModelTarget(_Table):
    """One target of a model: a model of a provider."""

    to: str = Field(
        description="`provider:model`, with the provider's name in this file.",
        json_schema_extra={"pattern": TARGET.pattern},
    )
    weight: int = Field(
        default=1, ge=1, description="For policies that spread calls over a tier; `priority` does not."
    )
    tier: int = Field(default=1, ge=1, description="Tiers are tried in ascending order.")

    @field_validator("to")
    @classmethod
    def _names_both(cls, to: str) -> str:
        if not TARGET.fullmatch(to):
            raise ValueError(f"must be 'provider:model', not '{to}'")
        return to

    @property
    def provider(self) -> str:
        """The provider's instance name."""
        return self.to.partition(":")[0]

    @property
    def model(self) -> str:
        """The model's name at the provider."""
        return self.to.partition(":")[2]


def _from_text(value: Any) -> Any:
    return {"to": value} if isinstance(value, str) else value


AnyTarget = Annotated[
    ModelTarget,
    BeforeValidator(
        _from_text, json_schema_input_type=Annotated[str, Field(pattern=TARGET.pattern)] | ModelTarget
    ),
]
"""A target, written as text or as a table."""


class ModelRoute(_Table):
    """The table `[models.NAME]`: a name that clients may call, and what it stands for."""

    targets: tuple[AnyTarget, ...] = Field(
        min_length=1,
        description='Targets in the order of preference: "provider:model" or { to = "provider:model", tier = 1 }.',
    )
    policy: Literal["priority"] = Field(
        default="priority",
        description="How a target is chosen: `priority` tries them in the order of tier and list.",
    )


def _folder(info: ValidationInfo) -> Path:
    context: dict[str, Path] = info.context or {}
    return context.get("folder", Path()).absolute()
