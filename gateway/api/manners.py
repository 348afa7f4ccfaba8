"""What a dialect says in headers, where that differs from what OpenAI's clients know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from gateway.types import RawHeaders


class Manners(Struct, frozen=True):
    """The headers of one dialect."""

    forwarded: tuple[bytes, ...] = ()
    """Headers of a client's request that a provider of the same dialect is to get."""
    rename: Callable[[RawHeaders, str], RawHeaders] | None = None
    """Puts the headers of an answer into the dialect's own words; the text is the request's id."""


PLAIN_MANNERS: Final = Manners()
"""Those of OpenAI's clients, and of all who ask for nothing else."""
