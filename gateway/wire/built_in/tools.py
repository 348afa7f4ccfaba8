"""The tools themselves, in requests.

https://platform.openai.com/docs/guides/tools, https://platform.openai.com/docs/guides/tools-web-search?api-mode=chat,
https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview and
https://ai.google.dev/gemini-api/docs/google-search
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias, cast

from msgspec import Struct

from gateway.types import Dialect
from gateway.wire.canonical import Foreign
from gateway.wire.codec import Losses

Fields: TypeAlias = dict[str, Any]

CHAT: Final = "openai.chat"
RESPONSES: Final = "openai.responses"
ANTHROPIC: Final = "anthropic.messages"
GEMINI: Final = "gemini.generate"

_PLACE: Final = ("city", "region", "country", "timezone")
_MEDIUM: Final = "medium"
"""How much OpenAI's search reads when nothing is said."""
_READS: Final = "search_context_size"
SEARCH_OPTIONS: Final = "web_search_options"
"""A chat completion's search is no tool but a field."""


class Search(Struct, frozen=True, kw_only=True):
    """Searches the web."""

    allowed: tuple[str, ...] = ()
    """Domains; no others are searched."""
    blocked: tuple[str, ...] = ()
    most: int | None = None
    """Searches in one answer."""
    reads: str | None = None
    """`low` or `high`: how much of what is found; None is what providers do anyway."""
    place: Mapping[str, str] = MappingProxyType({})
    """About where the user is, by the words of `_PLACE`."""
    others: tuple[str, ...] = ()
    """Settings that only the client's dialect has."""


class Code(Struct, frozen=True, kw_only=True):
    """Runs code that the model writes."""

    others: tuple[str, ...] = ()
    """Settings that only the client's dialect has."""


def written(tool: Foreign, dialect: Dialect, losses: Losses) -> Fields | None:
    """Write a tool for a provider of `dialect`; None when it has no such one, which `losses` is told by the tool's name."""
    if tool.dialect == dialect:
        return cast("Fields", tool.value)
    read, write = _READERS.get(tool.dialect), _WRITERS.get(dialect)
    found = read(cast("Fields", tool.value)) if read else None
    if found is None or write is None:
        losses.cannot(f"tools.{tool.type}")
        return None
    fields, lost = write(found)
    for name in (*found.others, *lost):
        losses.cannot(f"tools.{tool.type}.{name}")
    return fields


def search_options(tool: Foreign, losses: Losses) -> Fields | None:
    """Write a search of another dialect's as the field of a chat completion; None for what is no search."""
    read = _READERS.get(tool.dialect)
    found = read(cast("Fields", tool.value)) if read else None
    if not isinstance(found, Search):
        return None
    lost = {
        "allowed_domains": found.allowed,
        "blocked_domains": found.blocked,
        "max_uses": found.most is not None,
    }
    for name in (*found.others, *(name for name, is_lost in lost.items() if is_lost)):
        losses.cannot(f"tools.{tool.type}.{name}")
    fields: Fields = {}
    if found.place:
        fields["user_location"] = {"type": "approximate", "approximate": dict(found.place)}
    if found.reads:
        fields[_READS] = found.reads
    return fields


def _of_chat(tool: Fields) -> Search | Code | None:
    known = {_READS, "user_location"}
    return Search(
        reads=_amount(tool),
        place=_place(_object(tool.get("user_location")).get("approximate")),
        others=_beyond(tool, known),
    )


def _of_responses(tool: Fields) -> Search | Code | None:
    kind = str(tool.get("type"))
    if kind.startswith("web_search"):
        filters = _object(tool.get("filters"))
        known = {"type", "filters", "user_location", _READS, "external_web_access"}
        others = [name for name, value in tool.items() if name not in known and value is not None]
        others += [
            f"filters.{name}" for name, value in filters.items() if name != "allowed_domains" and value
        ]
        if tool.get("external_web_access") is False:
            others.append("external_web_access")
        return Search(
            allowed=_texts(filters.get("allowed_domains")),
            reads=_amount(tool),
            place=_place(tool.get("user_location")),
            others=tuple(others),
        )
    if kind == "code_interpreter":
        container = tool.get("container")
        plain = _object(container) if isinstance(container, dict) else {"id": container}
        asked = any(value for name, value in plain.items() if name != "type")
        return Code(others=("container",) if asked else ())
    return None


def _of_anthropic(tool: Fields) -> Search | Code | None:
    kind = str(tool.get("type"))
    if kind.startswith("web_search_"):
        known = {"type", "name", "allowed_domains", "blocked_domains", "max_uses", "user_location"}
        most = tool.get("max_uses")
        return Search(
            allowed=_texts(tool.get("allowed_domains")),
            blocked=_texts(tool.get("blocked_domains")),
            most=most if isinstance(most, int) else None,
            place=_place(tool.get("user_location")),
            others=_beyond(tool, known),
        )
    if kind.startswith("code_execution_"):
        return Code(others=_beyond(tool, {"type", "name"}))
    return None


def _of_gemini(tool: Fields) -> Search | Code | None:
    if "googleSearch" in tool:
        return Search(others=_beyond(_object(tool["googleSearch"]), set()))
    return Code() if "codeExecution" in tool else None


def _for_responses(tool: Search | Code) -> tuple[Fields, tuple[str, ...]]:
    if isinstance(tool, Code):
        return {"type": "code_interpreter", "container": {"type": "auto"}}, ()
    fields: Fields = {"type": "web_search"}
    if tool.allowed:
        fields["filters"] = {"allowed_domains": list(tool.allowed)}
    if tool.place:
        fields["user_location"] = {"type": "approximate", **tool.place}
    if tool.reads:
        fields[_READS] = tool.reads
    lost = {"blocked_domains": tool.blocked, "max_uses": tool.most is not None}
    return fields, tuple(name for name, is_lost in lost.items() if is_lost)


def _for_anthropic(tool: Search | Code) -> tuple[Fields, tuple[str, ...]]:
    if isinstance(tool, Code):
        return {"type": "code_execution_20250825", "name": "code_execution"}, ()
    fields: Fields = {"type": "web_search_20250305", "name": "web_search"}
    if tool.allowed:
        fields["allowed_domains"] = list(tool.allowed)
    if tool.blocked:
        fields["blocked_domains"] = list(tool.blocked)
    if tool.most is not None:
        fields["max_uses"] = tool.most
    if tool.place:
        fields["user_location"] = {"type": "approximate", **tool.place}
    return fields, (_READS,) if tool.reads else ()


def _for_gemini(tool: Search | Code) -> tuple[Fields, tuple[str, ...]]:
    if isinstance(tool, Code):
        return {"codeExecution": {}}, ()
    lost = {
        "allowed_domains": tool.allowed,
        "blocked_domains": tool.blocked,
        "max_uses": tool.most is not None,
        "user_location": tool.place,
        _READS: tool.reads,
    }
    return {"googleSearch": {}}, tuple(name for name, is_lost in lost.items() if is_lost)


def _object(value: Any) -> Fields:
    return cast("Fields", value) if isinstance(value, dict) else {}


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(str, cast("list[Any]", value))) if isinstance(value, list) else ()


def _place(value: Any) -> Mapping[str, str]:
    said = _object(value)
    return {name: str(said[name]) for name in _PLACE if said.get(name)}


def _amount(fields: Fields) -> str | None:
    said = fields.get(_READS)
    return None if said in {None, _MEDIUM} else str(said)


def _beyond(fields: Fields, known: set[str]) -> tuple[str, ...]:
    return tuple(name for name, value in fields.items() if name not in known and value is not None)


_READERS: Final[Mapping[Dialect, Callable[[Fields], Search | Code | None]]] = MappingProxyType(
    {CHAT: _of_chat, RESPONSES: _of_responses, ANTHROPIC: _of_anthropic, GEMINI: _of_gemini}
)
_WRITERS: Final[Mapping[Dialect, Callable[[Search | Code], tuple[Fields, tuple[str, ...]]]]] = (
    MappingProxyType({RESPONSES: _for_responses, ANTHROPIC: _for_anthropic, GEMINI: _for_gemini})
)
