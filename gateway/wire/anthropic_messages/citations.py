"""Anthropic's citations. https://platform.claude.com/docs/en/build-with-claude/citations."""

from __future__ import annotations

from typing import Any, Final, cast

from gateway.wire.canonical import Citation

_LOCATIONS: Final = {
    "char_location": ("char", "start_char_index", "end_char_index"),
    "page_location": ("page", "start_page_number", "end_page_number"),
    "content_block_location": ("block", "start_block_index", "end_block_index"),
}
"""What a location is counted in, and the fields of its beginning and end."""
_TYPES: Final = {unit: (kind, first, last) for kind, (unit, first, last) in _LOCATIONS.items()}


def citation(fields: Any) -> Citation:
    """Read a citation; what cannot be understood of it is left out."""
    fields = cast("dict[str, Any]", fields if isinstance(fields, dict) else {})
    kind = _text(fields.get("type"))
    if kind == "search_result_location":
        return Citation(
            url=_text(fields.get("source")),
            title=_text(fields.get("title")),
            cited=_text(fields.get("cited_text")),
            document=_number(fields.get("search_result_index")),
            location=_location(fields, "block", "start_block_index", "end_block_index"),
        )
    if kind in _LOCATIONS:
        return Citation(
            title=_text(fields.get("document_title")),
            cited=_text(fields.get("cited_text")),
            document=_number(fields.get("document_index")),
            location=_location(fields, *_LOCATIONS[kind]),
        )
    return Citation(
        url=_text(fields.get("url")),
        title=_text(fields.get("title")),
        cited=_text(fields.get("cited_text")),
    )


def raw_citation(citation: Citation) -> dict[str, Any]:
    """Write a citation for a client. One of the web has an index at the provider, which no other has: it is left empty."""
    cited = citation.cited or ""
    if citation.location is None or citation.document is None:
        return {
            "type": "web_search_result_location",
            "cited_text": cited,
            "url": citation.url or "",
            "title": citation.title,
            "encrypted_index": "",
        }
    unit, first, last = citation.location
    if citation.url is not None:
        return {
            "type": "search_result_location",
            "cited_text": cited,
            "source": citation.url,
            "title": citation.title,
            "search_result_index": citation.document,
            "start_block_index": first,
            "end_block_index": last,
        }
    kind, start, end = _TYPES.get(unit, _TYPES["char"])
    return {
        "type": kind,
        "cited_text": cited,
        "document_index": citation.document,
        "document_title": citation.title,
        start: first,
        end: last,
    }


def _location(fields: dict[str, Any], unit: str, first: str, last: str) -> tuple[str, int, int] | None:
    start, end = _number(fields.get(first)), _number(fields.get(last))
    return None if start is None or end is None else (unit, start, end)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
