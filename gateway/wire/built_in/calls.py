"""What tools of a provider did in an answer, as items of OpenAI's responses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias, cast

import msgspec

from gateway.types import Dialect
from gateway.wire.built_in.tools import ANTHROPIC, GEMINI
from gateway.wire.canonical import Foreign, ForeignEvent

Item: TypeAlias = dict[str, Any]

_SEARCH: Final = "web_search"
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


class BuiltInCalls:
    """Follows the parts of an answer, or the events of a streamed one; makes an item of each call once it is over."""

    def __init__(self) -> None:
        self._called: dict[str, dict[str, Any]] = {}
        self._open: dict[str, Any] = {}
        self._input = ""
        self._code: str | None = None

    def part(self, part: Foreign) -> Iterator[Item]:
        """Take a part; yield the items that are now whole, without ids."""
        follow = self._followers.get(part.dialect)
        if follow is not None:
            yield from follow(self, _object(part.value))

    def event(self, event: ForeignEvent) -> Iterator[Item]:
        """Take an event; yield the items that are now whole, without ids."""
        value = _object(event.value)
        if event.dialect == ANTHROPIC:
            yield from self._streamed(value)
        elif event.dialect == GEMINI:
            yield from self._gemini(value)

    def _streamed(self, value: dict[str, Any]) -> Iterator[Item]:
        match value.get("type"):
            case "content_block_start":
                self._open, self._input = _object(value.get("content_block")), ""
            case "content_block_delta":
                self._input += str(_object(value.get("delta")).get("partial_json") or "")
            case "content_block_stop":
                block, self._open = self._open, {}
                if self._input:
                    block = {**block, "input": _decoded(self._input)}
                yield from self._anthropic(block)
            case _:
                pass

    def _anthropic(self, block: dict[str, Any]) -> Iterator[Item]:
        kind = str(block.get("type"))
        if kind == "server_tool_use":
            self._called[str(block.get("id"))] = block
        elif kind.endswith("_tool_result"):
            called = self._called.pop(str(block.get("tool_use_id")), {})
            told, given = _object(block.get("content")), _object(called.get("input"))
            failed = str(told.get("type")).endswith("_error")
            if kind.startswith(_SEARCH):
                yield searched(str(given.get("query") or ""), failed=failed)
            elif "code_execution" in kind:
                code = given.get("code") or given.get("command") or msgspec.json.encode(given).decode()
                output = f"{told.get('stdout') or ''}{told.get('stderr') or ''}"
                yield ran(str(code), output, failed=failed or bool(told.get("return_code")))

    def _gemini(self, part: dict[str, Any]) -> Iterator[Item]:
        if "webSearchQueries" in part:
            for query in cast("list[Any]", part["webSearchQueries"] or ()):
                yield searched(str(query), failed=False)
        elif "executableCode" in part:
            self._code = str(_object(part["executableCode"]).get("code") or "")
        elif "codeExecutionResult" in part:
            told = _object(part["codeExecutionResult"])
            code, self._code = self._code or "", None
            failed = told.get("outcome") not in {None, "OUTCOME_OK"}
            yield ran(code, str(told.get("output") or ""), failed=failed)

    _followers: Final[Mapping[Dialect, Callable[[BuiltInCalls, dict[str, Any]], Iterator[Item]]]] = (
        MappingProxyType({ANTHROPIC: _anthropic, GEMINI: _gemini})
    )


def searched(query: str, *, failed: bool) -> Item:
    """Make the item of a search."""
    action = {"type": "search", "query": query, "queries": [query], "sources": []}
    return {"type": "web_search_call", "status": "failed" if failed else "completed", "action": action}


def ran(code: str, output: str, *, failed: bool) -> Item:
    """Make the item of code that was run. Its container is the provider's, and cannot be used again from here."""
    return {
        "type": "code_interpreter_call",
        "status": "failed" if failed else "completed",
        "code": code,
        "container_id": "",
        "outputs": [{"type": "logs", "logs": output}] if output else [],
    }


def prefix_of(item: Item) -> str:
    """How the id of an item begins."""
    return "ws" if item["type"] == "web_search_call" else "ci"


def _object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _decoded(text: str) -> dict[str, Any]:
    try:
        return _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
