"""What a dialect says in headers, where that differs from what OpenAI's clients know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct
from starlette.types import Message, Send

from gateway.types import RawHeaders


class Manners(Struct, frozen=True):
    """The headers of one dialect."""

    forwarded: tuple[bytes, ...] = ()
    """Headers of a client's request that a provider of the same dialect is to get."""
    rename: Callable[[RawHeaders, str], RawHeaders] | None = None
    """Puts the headers of an answer into the dialect's own words; the text is the request's id."""


PLAIN_MANNERS: Final = Manners()
"""Those of OpenAI's clients, and of all who ask for nothing else."""


def renaming(send: Send, rename: Callable[[RawHeaders, str], RawHeaders], request_id: str) -> Send:
    """Wrap `send` so that the headers of what it sends are in the dialect's words."""

    def send_renamed(message: Message) -> Any:
        if message["type"] == "http.response.start":
            message["headers"] = rename(list(message.get("headers", ())), request_id)
        return send(message)

    return send_renamed
