"""What an answer rests upon: `groundingMetadata` and `citationMetadata`, to and from citations.

https://ai.google.dev/api/generate-content#GroundingMetadata, whose positions count bytes of UTF-8.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.wire.body import UNREADABLE
from gateway.wire.canonical import Citation
from gateway.wire.gemini_generate.shapes import Candidate, Part, Response


class _Web(Struct):
    uri: str | None = None
    title: str | None = None
    text: str | None = None


class _Chunk(Struct, rename="camel"):
    web: _Web | None = None
    retrieved_context: _Web | None = None
    maps: _Web | None = None

    def source(self) -> _Web:
        return self.web or self.retrieved_context or self.maps or _Web()


class _Segment(Struct, rename="camel"):
    start_index: int = 0
    end_index: int | None = None
    part_index: int = 0


class _Support(Struct, rename="camel"):
    segment: _Segment | None = None
    grounding_chunk_indices: list[int] | None = None


class _Grounding(Struct, rename="camel"):
    grounding_chunks: list[_Chunk] | None = None
    grounding_supports: list[_Support] | None = None


QUERIES: Final = "webSearchQueries"


_decode_candidates: Final = msgspec.json.Decoder(Response).decode


class _Searched(Struct, rename="camel"):
    web_search_queries: list[str] | None = None


def searches(candidate: Candidate) -> list[str]:
    """What was searched for on the web."""
    try:
        told = msgspec.convert(candidate.grounding_metadata or {}, _Searched)
    except msgspec.ValidationError:
        return []
    return told.web_search_queries or []


def searches_in(payload: bytes) -> int:
    """How often an answer, or an event of a streamed one, says that the web was searched."""
    if b'"webSearchQueries"' not in payload:
        return 0
    try:
        candidates = _decode_candidates(payload).candidates or ()
    except UNREADABLE:
        return 0
    return sum(len(searches(candidate)) for candidate in candidates)


class _Cited(Struct, rename="camel"):
    start_index: int = 0
    end_index: int | None = None
    uri: str | None = None
    title: str | None = None


class _CitationMetadata(Struct, rename="camel"):
    citations: list[_Cited] | None = None
    citation_sources: list[_Cited] | None = None


def words_of(part: Part) -> str | None:
    """Return the words of a part that is a text; None when it is something else."""
    others = part.function_call, part.inline_data, part.file_data, part.of_code()
    if part.thought or any(one is not None for one in others):
        return None
    return part.text or "" if part.text is not None or part.thought_signature is not None else None


def read_citations(candidate: Candidate, parts: Sequence[str | None]) -> Iterator[tuple[int, Citation]]:
    """Yield citations, each with the position of its text among the texts, and counted within that text.

    `parts` are the texts of the answer's parts, None for those that are something else. What cannot be understood is
    left out.
    """
    if candidate.grounding_metadata is not None:
        with contextlib.suppress(msgspec.ValidationError):  # an ornament, in a shape that is not known yet
            yield from _grounded(msgspec.convert(candidate.grounding_metadata, _Grounding), parts)
    if candidate.citation_metadata is not None:
        try:
            told = msgspec.convert(candidate.citation_metadata, _CitationMetadata)
        except msgspec.ValidationError:
            return
        for cited in told.citations or told.citation_sources or ():
            yield _placed(_Web(cited.uri, cited.title), parts, None, cited.start_index, cited.end_index)


def written_citations(citations: Iterable[tuple[str, int, Citation]]) -> dict[str, Any]:
    """Return `groundingMetadata` for citations, each with its text and that text's position among the parts; empty without any."""
    chunks: list[dict[str, Any]] = []
    supports: list[dict[str, Any]] = []
    places: dict[tuple[str | None, str | None], int] = {}
    for text, part, citation in citations:
        source = citation.url, citation.title
        if source not in places:
            places[source] = len(chunks)
            web = {"uri": citation.url, "title": citation.title}
            chunks.append({"web": {name: value for name, value in web.items() if value is not None}})
        if citation.start is None or citation.end is None:
            continue
        segment = {
            "partIndex": part,
            "startIndex": len(text[: citation.start].encode()),
            "endIndex": len(text[: citation.end].encode()),
            "text": text[citation.start : citation.end],
        }
        supports.append({"segment": segment, "groundingChunkIndices": [places[source]]})
    if not chunks:
        return {}
    return {"groundingChunks": chunks, **({"groundingSupports": supports} if supports else {})}


def _grounded(told: _Grounding, parts: Sequence[str | None]) -> Iterator[tuple[int, Citation]]:
    chunks = told.grounding_chunks or []
    used: set[int] = set()
    for support in told.grounding_supports or ():
        segment = support.segment or _Segment()
        for index in support.grounding_chunk_indices or ():
            if 0 <= index < len(chunks):
                used.add(index)
                source = chunks[index].source()
                yield _placed(source, parts, segment.part_index, segment.start_index, segment.end_index)
    for index, chunk in enumerate(chunks):
        if index not in used:
            yield 0, _citation(chunk.source(), "", 0, None)


def _placed(
    source: _Web, parts: Sequence[str | None], part: int | None, start: int, end: int | None
) -> tuple[int, Citation]:
    """Find the text that a citation is of: that of its part, or without one where its bytes stand in all texts joined."""
    named = parts[part] if part is not None and 0 <= part < len(parts) else None
    if part is not None and named is not None and start <= len(named.encode()):
        number = sum(text is not None for text in parts[:part])
        return number, _citation(source, named, start, end)
    texts = [text for text in parts if text is not None]
    number = before = 0
    for number, text in enumerate(texts):
        length = len(text.encode())
        if start < before + length or number == len(texts) - 1:
            break
        before += length
    text = texts[number] if texts else ""
    return number, _citation(source, text, start - before, None if end is None else end - before)


def _citation(source: _Web, text: str, start: int, end: int | None) -> Citation:
    if end is None:
        return Citation(url=source.uri, title=source.title, cited=source.text)
    return Citation(
        url=source.uri,
        title=source.title,
        cited=source.text,
        start=_characters(text, start),
        end=_characters(text, end),
    )


def _characters(text: str, position: int) -> int:
    """Turn a position in bytes into one in characters."""
    return position if text.isascii() else len(text.encode()[:position].decode(errors="ignore"))
