"""What can be written through the journal.

Six statements, each made once and used for every row: they say what happens, and each database does it in its own fast
way. A `Write` is a statement with the values of one row; a sequence of writes is a unit, which happens as a whole or not
at all. Values are what the database takes: text, bytes, numbers, booleans, None (and JSON as text).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from msgspec import Struct
from sqlalchemy import Table, Update

from gateway.errors import GatewayError


class Insert:
    """A new row, unless one with its primary key is there already.

    Values: the named columns in their order.
    """

    __slots__ = ("columns", "has_key", "key_places", "table")

    def __init__(self, table: Table, *columns: str) -> None:
        self.table = table
        self.columns = _known(table, columns)
        keys = table.primary_key.columns.keys()
        self.has_key = all(key in columns for key in keys)
        """Whether the row brings its primary key; otherwise the database numbers it."""
        self.key_places = tuple(columns.index(key) for key in keys) if self.has_key else ()


class Fresh(Insert):
    """A new row, unless one with its primary key is there already: then its unit, which is this write alone, is refused.

    Values: the named columns in their order, the primary key among them. `refusal` makes the error for the one who
    submitted the unit. A unit that is sent again because a connection broke in a commit may be refused for its own row.
    """

    __slots__ = ("refusal",)

    def __init__(self, table: Table, *columns: str, refusal: Callable[[], GatewayError]) -> None:
        super().__init__(table, *columns)
        if not self.has_key:
            raise ValueError(f"table {table.name}: without its primary key a row is always fresh")
        self.refusal = refusal


class Transition:
    """A row leaves the state `leaves` (of its column `status`), if it is still in it.

    Values: the named columns in their order, then the row's primary key.
    """

    __slots__ = ("columns", "key", "leaves", "table")

    def __init__(self, table: Table, *columns: str, leaves: str) -> None:
        self.table = table
        self.columns = _known(table, columns)
        self.leaves = leaves
        (key,) = table.primary_key
        self.key = key.name


class Delete:
    """A row goes, if it is there.

    Values: the row's primary key.
    """

    __slots__ = ("key", "table")

    def __init__(self, table: Table) -> None:
        self.table = table
        (key,) = table.primary_key
        self.key = key.name


class Add:
    """Amounts are added to a row of counters, which is made when it is missing.

    Values: the primary key's columns in their order, then the amounts of all other columns in theirs.
    """

    __slots__ = ("amounts", "keys", "table")

    def __init__(self, table: Table) -> None:
        self.table = table
        self.keys = tuple(column.name for column in table.primary_key)
        self.amounts = tuple(column.name for column in table.columns if column.name not in self.keys)


class Guard:
    """An update that must change a row; when it changes none, its whole unit is undone and refused.

    `parameters` names the update's bound parameters; `refusal` makes the error for the one who submitted the unit.
    `adds` names the one of them that adds up: with all others the same, several updates one after the other must change
    what a single one with the sum changes, and all find a row just when that one does. A batch then asks once for all.
    Values: the parameters in their order; with `adds`, the row's primary key comes first.
    """

    __slots__ = ("adds_place", "parameters", "refusal", "row", "update")

    def __init__(
        self, update: Update, *parameters: str, refusal: Callable[[], GatewayError], adds: str | None = None
    ) -> None:
        self.update = update
        self.parameters = parameters
        self.refusal = refusal
        self.adds_place = None if adds is None else parameters.index(adds)
        table = update.table
        assert isinstance(table, Table)
        self.row = None if adds is None else (table.name, len(table.primary_key))
        """With `adds`, the table and how many of the values name its row."""


Statement: TypeAlias = Insert | Transition | Delete | Add | Guard


class Write(Struct, frozen=True, gc=False):
    """One row for a statement.

    `then` holds the writes that go with it: they happen only if an insert made the row, a transition moved it, or it was
    there to be deleted. A unit
    whose writes all hang on such a one may be sent twice, which is what happens when a connection breaks in a commit.
    """

    statement: Statement
    values: tuple[Any, ...]
    then: tuple[Write, ...] = ()


Unit: TypeAlias = Sequence[Write]
"""Writes that happen together or not at all."""


def describe(unit: Unit) -> Iterator[dict[str, Any]]:
    """Each write as a JSON object, for the log: the table and the values by column."""
    for write in unit:
        yield {**_described(write), **({"then": list(describe(write.then))} if write.then else {})}


def _described(write: Write) -> dict[str, Any]:
    match write.statement:
        case Insert(table=table, columns=columns):
            return {"insert": table.name, "values": _named(columns, write)}
        case Transition(table=table, columns=columns, key=key):
            return {"update": table.name, "values": _named((*columns, key), write)}
        case Delete(table=table, key=key):
            return {"delete": table.name, "values": _named((key,), write)}
        case Add(table=table, keys=keys, amounts=amounts):
            return {"add": table.name, "values": _named((*keys, *amounts), write)}
        case Guard(update=update, parameters=parameters):
            return {"update": str(update.table), "values": _named(parameters, write)}


def _named(columns: Iterable[str], write: Write) -> dict[str, Any]:
    return dict(zip(columns, write.values, strict=True))


def _known(table: Table, columns: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in columns if name not in table.columns]
    if unknown:
        raise ValueError(f"table {table.name} has no column {', '.join(unknown)}")
    return columns
