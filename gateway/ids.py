"""Identifiers that sort by time."""

from __future__ import annotations

import itertools
import os
import time


class Ids:
    """Makes ids of 28 hex digits: 12 of Unix milliseconds, 10 that are this maker's own, 6 that count up.

    No two makers share their own digits but by a chance of 2⁻⁴⁰, so workers and machines need not talk to each other.
    Ids are unique, not secret.
    """

    def __init__(self) -> None:
        self._own = int.from_bytes(os.urandom(5)) << 24
        self._count = itertools.count()

    def __call__(self) -> str:
        """Make the next id."""
        number = int(time.time() * 1000) << 64 | self._own | next(self._count) & 0xFFFFFF
        return number.to_bytes(14).hex()
