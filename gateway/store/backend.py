"""What the journal needs of a database, and what its two ways into one have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from sqlalchemy.engine import Dialect

from gateway.errors import GatewayError
from gateway.store.writes import Guard, Unit

CompiledGuard: TypeAlias = tuple[str, Callable[[tuple[Any, ...]], tuple[Any, ...]]]
"""The SQL of a guard, and how to put the values of a write into the order of its parameters."""


class Away(Exception):
    """The database cannot be reached or written right now; the same units may be sent again."""


class Unwritable(Exception):
    """The database rejects a value or a statement, and always will."""


class Refused(Exception):
    """A guard changed no row for these values: its unit is to be undone."""

    def __init__(self, guard: Guard, values: tuple[Any, ...]) -> None:
        super().__init__(guard.refusal().message)
        self.guard = guard
        self.values = values


Answer: TypeAlias = Mapping[int, GatewayError] | Away | Unwritable
"""The refused units of a batch by their place; or why none of them was written, or nobody knows."""


class Backend(Protocol):
    """Commits units to one kind of database. One call at a time."""

    def write(self, units: Sequence[Unit], done: Callable[[Answer], None]) -> None:
        """Commit the units in one transaction, and call `done` on the event loop. No units: just try."""
        ...

    async def close(self) -> None:
        """Let go of the connection. What is under way ends before, or is given up."""
        ...


def compile_guard(guard: Guard, dialect: Dialect) -> CompiledGuard:
    """Compile the update of a guard, with positional parameters."""
    compiled = guard.update.compile(dialect=dialect)
    fixed = compiled.params
    order = compiled.positiontup or []
    places = [guard.parameters.index(name) if name in guard.parameters else None for name in order]
    constants = [fixed.get(name) for name in order]

    def arrange(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(
            constant if place is None else values[place]
            for place, constant in zip(places, constants, strict=True)
        )

    return str(compiled), arrange
