"""Sizes of pictures and films: `WIDTHxHEIGHT`, and the ratio that comes nearest."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from gateway.errors import InvalidRequest

_SIZE: Final = re.compile(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})")
_NEAR: Final = 0.03
"""How far a ratio may be off: 1792x1024 is taken for 16:9."""


def read_size(size: str | None) -> tuple[int, int] | None:
    """Read a size; None for "auto" and nothing. Raises `InvalidRequest` for anything else that is none."""
    if size is None or size == "auto":
        return None
    found = _SIZE.fullmatch(size)
    if found is None:
        raise InvalidRequest("Invalid 'size': expected WIDTHxHEIGHT in pixels, or auto.", param="size")
    return int(found[1]), int(found[2])


def nearest_ratio(size: tuple[int, int], ratios: Iterable[str]) -> str | None:
    """Return the ratio, as `16:9`, that a size has, or all but has; None when there is none."""
    wanted = size[0] / size[1]

    def distance(ratio: str) -> float:
        width, height = ratio.split(":")
        return abs(int(width) / int(height) / wanted - 1)

    best = min(ratios, key=distance)
    return best if distance(best) <= _NEAR else None
