"""How the units of a batch are put together, so that like rows are written by one statement.

What must be fresh is written first. The rest of a batch falls into runs. In a run the plain units come first, then those
whose guards can be asked together, then what ends a row that those have just made; a unit with any other guard ends a run
and keeps its place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any, TypeAlias

from msgspec import Struct

from gateway.errors import GatewayError
from gateway.store.writes import Add, Delete, Fresh, Guard, Insert, Statement, Transition, Unit, Write

Placed: TypeAlias = tuple[int, Unit]
"""A unit and its place in the batch."""
ClaimKey: TypeAlias = tuple[Guard, tuple[Any, ...]]
"""A guard, and all values but the one that is added up: what has the same key can be asked together."""


class Run(Struct, gc=False):
    """Units that may be written in groups, in the order of the fields."""

    first: list[Write]
    guarded: list[Placed]
    last: list[Write]
    alone: Placed | None = None


def levels(writes: Iterable[Write]) -> list[list[Write]]:
    """The writes, what hangs on them, what hangs on that, and so on."""
    found: list[list[Write]] = []
    level = list(writes)
    while level:
        found.append(level)
        level = [follower for write in level for follower in write.then]
    return found


def are_one_run(writes: Iterable[Iterable[Write]]) -> bool:
    """Whether nothing in these levels must be fresh, and all guards can be asked together with their like."""
    for statement in {write.statement for level in writes for write in level}:
        if isinstance(statement, Fresh) or (isinstance(statement, Guard) and statement.adds_place is None):
            return False
    return True


def apart(units: Sequence[Unit]) -> tuple[dict[Fresh, list[Placed]], list[Placed]]:
    """Part the units whose row must be fresh, by statement, from the others."""
    fresh: dict[Fresh, list[Placed]] = {}
    others: list[Placed] = []
    for placed in enumerate(units):
        _, unit = placed
        statement = unit[0].statement if unit else None  # an empty one waits for those before it
        if isinstance(statement, Fresh):
            if len(unit) > 1:
                raise ValueError("a row that must be fresh is a unit by itself")
            fresh.setdefault(statement, []).append(placed)
        else:
            others.append(placed)
    return fresh, others


def not_fresh(
    statement: Fresh, units: Iterable[Placed], made: Iterable[Sequence[Any]]
) -> dict[int, GatewayError]:
    """Refuse the units that have not made their row: of equal ones, all but the first."""
    left = {tuple(key) for key in made}
    refused: dict[int, GatewayError] = {}
    for place, unit in units:
        values = unit[0].values
        key = tuple([values[each] for each in statement.key_places])
        if key in left:
            left.remove(key)
        else:
            refused[place] = statement.refusal()
    return refused


def runs(units: Iterable[Placed]) -> Iterator[Run]:
    """Split a batch."""
    run = Run([], [], [])
    made: set[Any] = set()
    for place, unit in units:
        kind = _kind(unit)
        if kind is None:
            later = made and any(
                write.statement.__class__ is not Insert and write.values[-1] in made for write in unit
            )
            (run.last if later else run.first).extend(unit)
        elif kind:
            run.guarded.append((place, unit))
            made.update(_made(unit))
        else:
            run.alone = place, unit
            yield run
            run = Run([], [], [])
            made.clear()
    yield run


def _kind(unit: Unit) -> bool | None:
    """None for a plain unit; of others, whether all guards can be asked together with their like."""
    kind: bool | None = None
    for write in unit:
        statement = write.statement
        if statement.__class__ is Guard:
            if statement.adds_place is None:  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] - a Guard
                return False
            kind = True
        if write.then:
            of_followers = _kind(write.then)
            if of_followers is False:
                return False
            kind = kind or of_followers
    return kind


def _made(unit: Unit) -> Iterator[Any]:
    """The keys of the rows that a unit makes, as transitions name them."""
    for write in unit:
        if isinstance(write.statement, Insert) and len(write.statement.key_places) == 1:
            yield write.values[write.statement.key_places[0]]


class Sums:
    """The `Add`s of a batch, added up, so that the batch touches each row of counters once."""

    __slots__ = ("_rows",)

    def __init__(self) -> None:
        self._rows: defaultdict[Add, list[tuple[Any, ...]]] = defaultdict(list)

    def add(self, statement: Add, *rows: tuple[Any, ...]) -> None:
        self._rows[statement] += rows

    def merge(self, other: Sums) -> None:
        for statement, rows in other:
            self.add(statement, *rows)

    def __iter__(self) -> Iterator[tuple[Add, list[tuple[Any, ...]]]]:
        """Each statement with its rows, sorted: writers that lock rows in one order never lock each other out."""
        for statement, rows in self._rows.items():
            split = len(statement.keys)
            amounts: defaultdict[tuple[Any, ...], list[tuple[Any, ...]]] = defaultdict(list)
            for row in rows:
                amounts[row[:split]].append(row[split:])
            yield (
                statement,
                sorted((*key, *map(sum, zip(*same, strict=True))) for key, same in amounts.items()),
            )


class Claims:
    """The guards of several units, added up where they ask the same row for more and more."""

    __slots__ = ("_asked",)

    def __init__(self) -> None:
        self._asked: defaultdict[ClaimKey, list[tuple[int, Write]]] = defaultdict(list)

    def add(self, guard: Guard, write: Write) -> None:
        key, amount = _claim(guard, write.values)
        self._asked[key].append((amount, write))

    def __iter__(self) -> Iterator[tuple[ClaimKey, tuple[Any, ...]]]:
        """Each guard with its values, in the order of the rows."""
        for key in sorted(self._asked, key=itemgetter(1)):
            guard, rest = key
            total = sum(amount for amount, _ in self._asked[key])
            yield key, (*rest[: guard.adds_place], total, *rest[guard.adds_place :])

    def split(
        self, units: Sequence[Placed], refused: Iterable[ClaimKey]
    ) -> tuple[list[Placed], list[Placed]]:
        """Part the units that asked in vain from the others."""
        vain = {id(write) for key in refused for _, write in self._asked[key]}
        parts: tuple[list[Placed], list[Placed]] = ([], [])
        for placed in units:
            parts[all(id(write) not in vain for write in _guards(placed[1]))].append(placed)
        return parts


class Exhausted:
    """What was asked in vain. Until something is given back, nobody gets as much or more, and need not ask."""

    __slots__ = ("_least",)

    def __init__(self) -> None:
        self._least: dict[ClaimKey, int] = {}

    def note(self, unit: Unit, guard: Guard, values: tuple[Any, ...]) -> None:
        """Remember that a guard of a unit refused these values, unless for what the unit had taken before."""
        key, amount = _claim(guard, values)
        if sum(_is_of(write, key) for write in _guards(unit)) == 1:
            self._least[key] = min(amount, self._least.get(key, amount))

    def by(self, unit: Unit) -> Guard | None:
        """The guard that is going to refuse a unit, if one is known to."""
        for write in _guards(unit) if self._least else ():
            guard = write.statement
            assert isinstance(guard, Guard)
            key, amount = _claim(guard, write.values)
            if amount >= self._least.get(key, amount + 1):
                return guard
        return None


def _guards(unit: Unit) -> Iterator[Write]:
    for write in unit:
        if isinstance(write.statement, Guard):
            yield write
        yield from _guards(write.then)


def _is_of(write: Write, key: ClaimKey) -> bool:
    return write.statement is key[0] and _claim(key[0], write.values)[0] == key


def _claim(guard: Guard, values: tuple[Any, ...]) -> tuple[ClaimKey, int]:
    place = guard.adds_place
    assert place is not None, "only guards that add up are asked together"
    return (guard, values[:place] + values[place + 1 :]), values[place]


def by_statement(
    writes: Iterable[Write], sums: Sums, claims: Claims
) -> Iterator[tuple[Insert | Transition | Delete, list[Write]]]:
    """Put writes in groups: the inserts, then the others. What is to be added or asked goes to `sums` and `claims`."""
    groups: defaultdict[Statement, list[Write]] = defaultdict(list)
    for write in writes:
        groups[write.statement].append(write)
    later: list[tuple[Transition | Delete, list[Write]]] = []
    for statement, group in groups.items():
        if isinstance(statement, Insert):
            yield statement, group
        elif isinstance(statement, Add):
            sums.add(statement, *[write.values for write in group])
        elif isinstance(statement, Guard):
            for write in group:
                claims.add(statement, write)
        else:
            later.append((statement, group))
    yield from later
