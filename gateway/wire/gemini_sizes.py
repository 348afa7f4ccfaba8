"""Sizes of pictures in Google's words: a ratio, and the name of a size where it is not the smallest."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.wire.codec import Losses
from gateway.wire.pixels import nearest_ratio


def shape(
    size: tuple[int, int] | None,
    losses: Losses,
    *,
    ratios: Sequence[str],
    sizes: Sequence[tuple[int, str | None]],
    field: str,
) -> dict[str, str]:
    """Return the fields that say a size in pixels; `losses` are told of one that is not near any.

    `sizes` are the longest sides, rising, up to which a name is meant, which is None where none is needed; `field` takes it.
    """
    if size is None:
        return {}
    ratio = nearest_ratio(size, ratios)
    step = next(((name,) for longest, name in sizes if max(size) <= longest), None)
    if ratio is None or step is None:
        losses.cannot("size")
        return {}
    return {"aspectRatio": ratio, **({field: step[0]} if step[0] else {})}
