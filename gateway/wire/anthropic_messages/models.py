"""What is known of Claude models: which ways of thinking and sampling a generation takes.

https://platform.claude.com/docs/en/build-with-claude/thinking and the models' own pages there.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

_VERSION = re.compile(r"(?<!\d)(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)")
_ADAPTIVE: Final = (4, 6)
_NO_SAMPLING: Final = (4, 7)
_SYSTEM_TURNS: Final = (4, 8)
_ALWAYS_THINKING: Final = (5, 5)
_LATEST: Final = (99, 0)
_MAX_TOKENS: Final = (((4, 5), 64_000), ((4, 0), 32_000), ((3, 7), 64_000), ((3, 5), 8_192))
"""The longest answer that every model from a generation on can give, newest first."""
SHORTEST_MAX_TOKENS: Final = 4_096
"""For models that are older or unknown."""
SMALLEST_BUDGET: Final = 1_024
"""Tokens of thinking that a model can be limited to."""


class Model(Struct, frozen=True):
    """One model."""

    adaptive: bool
    """It decides itself how much to think, and is told an effort; older ones are told a budget."""
    samples: bool
    """It takes `temperature`, `top_p` and `top_k` other than 1."""
    system_turns: bool
    """It takes messages of the system in the midst of a conversation."""
    no_thinking: str
    """The `type` that turns thinking off, as far as it can be."""
    max_tokens: int
    """What to send when the client set no limit."""


def model(name: str) -> Model:
    """Tell what a model takes by its name. Models that are not Claude are taken to be as old ones were."""
    version = _version(name)
    return Model(
        adaptive=version >= _ADAPTIVE,
        samples=version < _NO_SAMPLING,
        system_turns=version >= _SYSTEM_TURNS and not name.endswith("sonnet-5"),
        no_thinking="between_tools" if version >= _ALWAYS_THINKING else "disabled",
        max_tokens=next((most for since, most in _MAX_TOKENS if version >= since), SHORTEST_MAX_TOKENS),
    )


def _version(name: str) -> tuple[int, int]:
    """Find the generation in a name: `claude-opus-4-8`, `claude-3-7-sonnet-20250219`, `us.anthropic.claude-opus-4-1-…-v1:0`."""
    _, claude, rest = name.lower().partition("claude")
    if not claude:
        return (0, 0)
    found = _VERSION.search(rest)
    return (int(found[1]), int(found[2] or 0)) if found else _LATEST
