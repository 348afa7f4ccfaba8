"""Identifiers that sort by time."""

from __future__ import annotations

import os
import time


def new_id() -> str:
    """Make a time-ordered id: 12 hex digits of Unix milliseconds, then 64 random bits."""
    return f"{int(time.time() * 1000):012x}{os.urandom(8).hex()}"
