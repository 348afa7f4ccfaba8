"""Citations. https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Citation.html."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from gateway.wire.bedrock_converse.media import TextOnly
from gateway.wire.canonical import Citation

_KINDS: Final = {"documentChar": "char", "documentPage": "page", "documentChunk": "block"}


class _Web(Struct):
    url: str | None = None


class _Span(Struct):
    documentIndex: int | None = None  # noqa: N815 - the wire's own spelling
    start: int = 0
    end: int = 0


class _Location(Struct):
    web: _Web | None = None
    documentChar: _Span | None = None  # noqa: N815
    documentPage: _Span | None = None  # noqa: N815
    documentChunk: _Span | None = None  # noqa: N815


class CitationBlock(Struct):
    """A citation, whole or in a stream."""

    title: str | None = None
    source: str | None = None
    sourceContent: list[TextOnly] | None = None  # noqa: N815
    location: _Location | None = None


def decode_citation(block: CitationBlock) -> Citation:
    """Read a citation; `source` is taken for its address where there is no other."""
    location = block.location or _Location()
    document, where = None, None
    for name, kind in _KINDS.items():
        span: _Span | None = getattr(location, name)
        if span is not None:
            document, where = span.documentIndex, (kind, span.start, span.end)
    cited = "".join(part.text for part in block.sourceContent or ())
    return Citation(
        url=(location.web.url if location.web else None) or block.source,
        title=block.title,
        cited=cited or None,
        document=document,
        location=where,
    )


def encode_citation(citation: Citation) -> dict[str, Any]:
    """Write a citation."""
    fields: dict[str, Any] = {}
    if citation.title is not None:
        fields["title"] = citation.title
    if citation.cited is not None:
        fields["sourceContent"] = [{"text": citation.cited}]
    if citation.location is not None:
        kind, start, end = citation.location
        name = next(name for name, known in _KINDS.items() if known == kind)
        fields["location"] = {name: {"documentIndex": citation.document or 0, "start": start, "end": end}}
        if citation.url is not None:
            fields["source"] = citation.url
    elif citation.url is not None:
        fields["location"] = {"web": {"url": citation.url}}
    return fields
