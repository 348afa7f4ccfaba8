"""A request for pictures, and the pictures that answer it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from gateway.types import Dialect, Usage
from gateway.wire.canonical.parts import Source


class ImageRequest(Struct, frozen=True, kw_only=True):
    """What a client wants painted. None always means that the client did not say."""

    dialect: Dialect
    """In which the client asked."""
    model: str
    prompt: str = ""
    """Empty where variations of a picture are wanted."""
    n: int | None = None
    """How many pictures."""
    size: tuple[int, int] | None = None
    """Width and height in pixels."""
    quality: str | None = None
    background: str | None = None
    output_format: str | None = None
    """`png`, `jpeg`, `webp` …"""
    as_url: bool = False
    """The client wants addresses, not the pictures themselves."""
    images: tuple[Source, ...] = ()
    """Pictures to begin with."""
    mask: Source | None = None
    """A picture whose transparent parts say where to paint."""
    stream: bool = False
    user: str | None = None
    extra: Mapping[str, Any] = {}
    """What only the client's dialect knows."""


class ImageAnswer(Struct, frozen=True, kw_only=True):
    """What a provider painted."""

    images: tuple[Source, ...]
    usage: Usage | None = None
    """As the provider says; None when it does not."""
