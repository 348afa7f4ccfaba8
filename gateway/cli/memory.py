"""Memory that many calls took at once, given back when they have gone.

glibc returns what is freed at the end of its heap only, so a single small object there keeps all that lies before it.
"""

from __future__ import annotations

import ctypes
import sys

CROWD = 500
"""Calls at once. Below that, there is too little to give back."""
_SHARE = 10
"""The crowd has gone when no more than this part of it is left."""


class Crowd:
    """Watches how many calls run."""

    __slots__ = ("_most", "_trim")

    def __init__(self) -> None:
        self._most = 0
        """Since memory was last given back."""
        # Other C libraries have no such function, or no need of it.
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None

    def note(self, running: int) -> None:
        """Be told now and then how many calls run. To give back takes milliseconds, at a time when there is little to do."""
        if running * _SHARE > self._most or self._most < CROWD:
            self._most = max(self._most, running)
        elif self._trim is not None:
            self._most = running
            self._trim(0)
