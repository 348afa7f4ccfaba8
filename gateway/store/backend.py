"""What the journal needs of a database, and what its two ways into one have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from sqlalchemy.engine import Dialect

from gateway.errors import GatewayError
from gateway.store.writes import Add, Guard, Unit

CompiledGuard: TypeAlias = tuple[str, Callable[[tuple[Any, ...]], tuple[Any, ...]]]
"""The SQL of a guard, and how to put the values of a write into the order of its parameters."""


class Away(Exception):
    """The database cannot be reached or written right now; the same units may be sent again."""


class Unwritable(Exception):
    """The database rejects a value or a statement, and always will."""


class Refused(Exception):
    """A guard changed no row: its unit is to be undone."""

    def __init__(self, refusal: GatewayError) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Backend(Protocol):
    """Commits units to one kind of database. One call at a time."""

    async def write(self, units: Sequence[Unit]) -> Mapping[int, GatewayError]:
        """Commit the units in one transaction; return the refused ones by their place. No units: just try.

        Raises `Away` or `Unwritable`; then none of them was written, or nobody knows.
        """
        ...

    async def close(self) -> None:
        """Let go of the connection, and of anything under way."""
        ...


class Sums:
    """The `Add`s of a batch, added up, so that the batch touches each row of counters once."""

    __slots__ = ("_rows",)

    def __init__(self) -> None:
        self._rows: dict[Add, dict[tuple[Any, ...], Sequence[int]]] = {}

    def add(self, statement: Add, values: tuple[Any, ...]) -> None:
        split = len(statement.keys)
        key, amounts = values[:split], values[split:]
        rows = self._rows.get(statement)
        if rows is None:
            rows = self._rows[statement] = {}
        before = rows.get(key)
        rows[key] = amounts if before is None else [a + b for a, b in zip(before, amounts, strict=True)]

    def merge(self, other: Sums) -> None:
        for statement, rows in other:
            for row in rows:
                self.add(statement, row)

    def __iter__(self) -> Iterator[tuple[Add, list[tuple[Any, ...]]]]:
        """Each statement with its rows, sorted: writers that lock rows in one order never lock each other out."""
        for statement, rows in self._rows.items():
            yield statement, sorted((*key, *amounts) for key, amounts in rows.items())


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
