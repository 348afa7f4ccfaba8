"""The settings of the core: the tables `[gateway]` and `[models.NAME]`."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
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
    """What calls cost."""

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

    @field_validator("book")
    @classmethod
    def _beside_the_config(cls, book: Path | None, info: ValidationInfo) -> Path | None:
        return None if book is None else _folder(info) / book.expanduser()

    @model_validator(mode="after")
    def _fallback_has_prices(self) -> Self:
        if self.unknown == "fallback" and None in (self.fallback_input, self.fallback_output):
            raise ValueError("unknown = 'fallback' needs fallback_input and fallback_output")
        return self


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
    max_body_bytes: int = Field(default=32 * 2**20, ge=1, description="Largest request body, in bytes.")
    keepalive_seconds: Seconds = Field(
        default=15, description="Seconds between keep-alive comments while a stream is silent."
    )
    drain_seconds: float = Field(
        default=30, ge=0, description="Seconds that running calls get to finish on shutdown."
    )
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
