"""The gateway's database, and the journal that writes to it."""

from __future__ import annotations

from gateway.store.database import Database
from gateway.store.writes import Add, Delete, Fresh, Guard, Insert, Statement, Transition, Unit, Write

__all__ = [
    "Add",
    "Database",
    "Delete",
    "Fresh",
    "Guard",
    "Insert",
    "Statement",
    "Transition",
    "Unit",
    "Write",
]
