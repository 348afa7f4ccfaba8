"""A film to be made, and the job that will make it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from gateway.types import Dialect
from gateway.wire.canonical.parts import Source

USUAL_SECONDS: Final = 8
"""How long a film is taken to be when the client does not say."""


class VideoRequest(Struct, frozen=True, kw_only=True):
    """What a client wants filmed. None always means that the client did not say."""

    dialect: Dialect
    """In which the client asked."""
    model: str
    prompt: str
    seconds: int | None = None
    size: tuple[int, int] | None = None
    """Width and height in pixels."""
    image: Source | None = None
    """The picture to begin with."""
    extra: Mapping[str, Any] = {}
    """What only the client's dialect knows."""


class VideoAnswer(Struct, frozen=True, kw_only=True):
    """The job that a provider has taken on."""

    id: str
    """The provider's own."""
