"""Takes out of a conversation what the provider that goes on with it never said."""

from __future__ import annotations

from collections.abc import Callable
from itertools import filterfalse
from typing import Any, cast


def without(turns: list[Any], field: str, is_foreign: Callable[[Any], bool]) -> list[Any]:
    """Return the turns without what is foreign in their list `field`, and without those that hold nothing else.

    An equal list when there is nothing. What is not shaped so stays: the provider will say what is wrong with it.
    """
    kept = [_without(turn, field, is_foreign) for turn in turns]
    return [turn for turn in kept if turn is not None]


def _without(turn: Any, field: str, is_foreign: Callable[[Any], bool]) -> Any:
    if not isinstance(turn, dict):
        return turn
    said = cast("dict[str, Any]", turn)
    listed = said.get(field)
    if not isinstance(listed, list):
        return said
    blocks = cast("list[Any]", listed)
    kept = list(filterfalse(is_foreign, blocks))
    if len(kept) == len(blocks):
        return said
    return {**said, field: kept} if kept else None
