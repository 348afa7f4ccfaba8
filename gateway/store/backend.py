"""What the journal needs of a database, and what its two ways into one have in common."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from sqlalchemy.engine import Dialect

from gateway.errors import GatewayError
from gateway.store.writes import Add, Guard, Insert, Statement, Transition, Unit, Write

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


class Sums:
    """The `Add`s of a batch, added up, so that the batch touches each row of counters once."""

    __slots__ = ("_rows",)

    def __init__(self) -> None:
        self._rows: dict[Add, dict[tuple[Any, ...], list[tuple[Any, ...]]]] = {}

    def add(self, statement: Add, values: tuple[Any, ...]) -> None:
        rows = self._rows.get(statement)
        if rows is None:
            rows = self._rows[statement] = {}
        key = values[: len(statement.keys)]
        same = rows.get(key)
        if same is None:
            rows[key] = [values]
        else:
            same.append(values)

    def merge(self, other: Sums) -> None:
        for statement, rows in other:
            for row in rows:
                self.add(statement, row)

    def __iter__(self) -> Iterator[tuple[Add, list[tuple[Any, ...]]]]:
        """Each statement with its rows, sorted: writers that lock rows in one order never lock each other out."""
        for statement, rows in self._rows.items():
            split = len(statement.keys)
            yield (
                statement,
                sorted(
                    (*key, *map(sum, list(zip(*same, strict=True))[split:])) for key, same in rows.items()
                ),
            )


def by_statement(writes: Iterable[Write], sums: Sums) -> Iterator[tuple[Insert | Transition, list[Write]]]:
    """Put the writes of plain units in groups: the inserts, then the transitions. What is to be added goes to `sums`."""
    groups: defaultdict[Statement, list[Write]] = defaultdict(list)
    for write in writes:
        groups[write.statement].append(write)
    transitions: list[tuple[Transition, list[Write]]] = []
    for statement, group in groups.items():
        if isinstance(statement, Insert):
            yield statement, group
        elif isinstance(statement, Transition):
            transitions.append((statement, group))
        else:
            assert isinstance(statement, Add)
            for write in group:
                sums.add(statement, write.values)
    yield from transitions


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
