"""A model, as the catalogue knows it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Final

from msgspec import Struct

from gateway.catalogue.price import Price

KINDS: Final = (
    "chat",
    "completion",
    "embedding",
    "rerank",
    "moderation",
    "image",
    "speech",
    "transcription",
    "video",
    "realtime",
)
"""What a model is for; the names of the capabilities that clients ask for."""

CAPABILITIES: Final = (
    "tools",
    "parallel_tools",
    "vision",
    "audio_in",
    "audio_out",
    "pdf",
    "structured_output",
    "thinking",
    "caching",
    "streaming",
)
"""What a model can do beside what all of its kind do."""

ANY: Final = "*"
"""The name of the entry for every model that a provider may have."""


class Model(Struct, frozen=True, kw_only=True):
    """What is known of one model at one provider. What nobody knows is None."""

    name: str
    """At the provider; `*` stands for all that are not listed."""
    provider: str
    """The catalogue that lists it."""
    kind: str | None = None
    """A word of `KINDS`; None where nobody knows, as of `*`."""
    can: tuple[str, ...] = ()
    """Words of `CAPABILITIES`, in their order."""
    context: int | None = None
    """The most tokens that a request may have."""
    max_output: int | None = None
    """The most tokens that an answer may have."""
    released: date | None = None
    knowledge: str | None = None
    """The month up to which it knows the world, as `2025-01`."""
    retires: date | None = None
    """The day from which the provider refuses it; may be in the past."""
    batch_percent: int | None = None
    """What its provider takes off for work in batches; None where that is not known."""
    prices: tuple[Price, ...] = ()
    """Those asked first come first."""

    def price(self, at: float) -> Price | None:
        """Return the price in force at `at` (Unix seconds), or None when it is not known."""
        for price in self.prices:
            if price.valid_from <= at < price.valid_until:
                return price
        return None

    def is_retired(self, at: float) -> bool:
        """Whether the provider does not serve it any more at `at` (Unix seconds)."""
        return self.retires is not None and midnight(self.retires) <= at


def midnight(day: date) -> float:
    """Return when a day begins in UTC, in Unix seconds."""
    return datetime.combine(day, time(), UTC).timestamp()
