"""The parts of a message."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from gateway.types import Dialect


class CacheHint(Struct, frozen=True):
    """The prompt up to and including here is worth caching."""

    ttl: str | None = None
    """`5m` and `1h` are Anthropic's times, `30m` and `12h` OpenAI's; None is the provider's default."""


class Source(Struct, frozen=True, kw_only=True):
    """Where the bytes of a medium are: exactly one of `data`, `url`, `file` and `text`."""

    media_type: str | None = None
    data: str | None = None
    """Base64, standard alphabet, with padding."""
    url: str | None = None
    """http, https or gs; never a `data:` URL, which is decoded into `data` and `media_type`."""
    file: str | None = None
    """Id of a file at the provider."""
    text: str | None = None
    """A document's plain text."""


class Citation(Struct, frozen=True, kw_only=True):
    """What a stretch of an answer rests upon."""

    url: str | None = None
    title: str | None = None
    cited: str | None = None
    """The words of the source."""
    start: int | None = None
    """Characters into its own text where the stretch begins; None when the citation belongs to the whole part."""
    end: int | None = None
    document: int | None = None
    """Position of the document in the request, from 0."""
    location: tuple[str, int, int] | None = None
    """Where in the document: (`char`, `page` or `block`, first, after the last)."""

    def moved(self, by: int) -> Citation:
        """Return it with its stretch so many characters further on: counted in a longer text, or with less than 0 in a part."""
        if self.start is None or self.end is None:
            return self
        return msgspec.structs.replace(self, start=self.start + by, end=self.end + by)


class Text(Struct, frozen=True, kw_only=True):
    """Words."""

    text: str
    citations: tuple[Citation, ...] = ()
    cache: CacheHint | None = None
    signature: str | None = None
    """Gemini's thought signature on a text part."""


class Image(Struct, frozen=True, kw_only=True):
    """A picture."""

    source: Source
    detail: str | None = None
    """`low`, `high`, `auto`: how closely the model is to look."""
    cache: CacheHint | None = None
    signature: str | None = None


class Audio(Struct, frozen=True, kw_only=True):
    """A recording; in an assistant's message perhaps with what is said in it."""

    source: Source
    id: str | None = None
    transcript: str | None = None
    cache: CacheHint | None = None


class Video(Struct, frozen=True, kw_only=True):
    """A film."""

    source: Source
    cache: CacheHint | None = None


class Document(Struct, frozen=True, kw_only=True):
    """A file to be read: PDF, text and the like."""

    source: Source
    name: str | None = None
    """File name or title."""
    context: str | None = None
    """What to know about the document; not cited."""
    citations: bool = False
    """The answer is to cite it."""
    cache: CacheHint | None = None


class Thinking(Struct, frozen=True, kw_only=True):
    """What a model thought before it answered."""

    text: str = ""
    signature: str | None = None
    """Proof of the provider's, to be given back unchanged."""
    encrypted: str | None = None
    """Thoughts that only the provider can read; then `text` may be empty."""
    id: str | None = None
    origin: Dialect | None = None
    """Whose signature it is: no other dialect may send it upstream."""


class ToolCall(Struct, frozen=True, kw_only=True):
    """The model wants a tool to be used."""

    id: str
    name: str
    arguments: str
    """JSON text; for a custom tool plain text."""
    custom: bool = False
    signature: str | None = None
    """Gemini's thought signature."""
    cache: CacheHint | None = None


class ToolResult(Struct, frozen=True, kw_only=True):
    """What came of a tool call."""

    id: str
    name: str | None = None
    content: tuple[Part, ...] = ()
    is_error: bool = False
    custom: bool = False
    cache: CacheHint | None = None


class Refusal(Struct, frozen=True, kw_only=True):
    """The model's words when it declines."""

    text: str


class Foreign(Struct, frozen=True, kw_only=True):
    """Something that only one dialect can say, kept as it was."""

    dialect: Dialect
    type: str
    """Its own name for it, for messages."""
    value: Any
    """The decoded JSON."""


Part: TypeAlias = (
    Text | Image | Audio | Video | Document | Thinking | ToolCall | ToolResult | Refusal | Foreign
)
