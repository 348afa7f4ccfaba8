"""The gateway's database: SQLite in a file, or PostgreSQL. Nothing is opened before it is used."""

from __future__ import annotations

import functools
import importlib.util
import sqlite3
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from sqlalchemy import URL, event
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gateway.errors import ConfigError, Unavailable
from gateway.store.engine import create_engine

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

_FORMS = "sqlite:///gateway.db, sqlite:////absolute/path.db or postgresql://user:password@host:5432/name"
_AWAY = (OperationalError, InterfaceError)
"""Errors of a database that does not answer; others are so too where the connection was lost."""
_SQLITE_BUSY_MS = 5000
_POSTGRES_POOL = 4
_POSTGRES_TIMEOUT = 10


class Database:
    """A database by its URL.

    `sqlite:///FILE` takes `?synchronous=normal` (the default: a commit survives the death of the process) or
    `full` (it survives a power cut too). `postgresql://…` takes what libpq's URLs take.

    Raises `ConfigError` for a URL that cannot be used; it never repeats the URL, which may hold a password.
    """

    dialect: Literal["sqlite", "postgresql"]

    def __init__(self, url: str) -> None:
        self.path = ""
        """The file of a SQLite database."""
        self.dsn = ""
        """The URL of a PostgreSQL database, password included."""
        self.synchronous = "normal"
        self._engine: AsyncEngine | None = None
        scheme = url.partition(":")[0]
        if scheme == "sqlite":
            self.dialect = "sqlite"
            self._read_sqlite(url)
        elif scheme in {"postgresql", "postgres"}:
            self.dialect = "postgresql"
            self._read_postgres(url)
        else:
            raise ConfigError([f"the scheme '{scheme}' is not known; write {_FORMS}"])

    def _read_sqlite(self, url: str) -> None:
        parts = urlsplit(url)
        self.path = unquote(parts.path[1:])
        if parts.netloc or not self.path or self.path == ":memory:":
            raise ConfigError([f"SQLite needs a file; write {_FORMS}"])
        options = parse_qs(parts.query, keep_blank_values=True)
        self.synchronous = options.pop("synchronous", ["normal"])[-1]
        problems = [f"SQLite knows no option '{name}'; it knows 'synchronous'" for name in options]
        if self.synchronous not in {"normal", "full"}:
            problems.append(f"synchronous is 'normal' or 'full', not '{self.synchronous}'")
        if problems:
            raise ConfigError(problems)

    def _read_postgres(self, url: str) -> None:
        if importlib.util.find_spec("asyncpg") is None:
            raise ConfigError(["PostgreSQL needs one more package: pip install 'asgi-gateway[postgres]'"])
        try:
            parts = urlsplit(url)
            usable = bool(parts.path.strip("/")) and (parts.port is None or parts.port > 0)
        except ValueError:
            usable = False
        if not usable:
            raise ConfigError([f"the PostgreSQL URL cannot be read; write {_FORMS}"])
        self.dsn = url

    def __repr__(self) -> str:
        return f"Database({self.shown!r})"

    @property
    def shown(self) -> str:
        """The URL for people: without password and options."""
        if self.dialect == "sqlite":
            return f"sqlite:///{self.path}"
        parts = urlsplit(self.dsn)
        user = f"{parts.username}@" if parts.username else ""
        return f"postgresql://{user}{parts.netloc.rpartition('@')[2]}{parts.path}"

    @property
    def engine(self) -> AsyncEngine:
        """The SQLAlchemy engine. It belongs to the event loop that first uses it; `close` sets it free."""
        if self._engine is None:
            self._engine = self._sqlite_engine() if self.dialect == "sqlite" else self._postgres_engine()
        return self._engine

    def _sqlite_engine(self) -> AsyncEngine:
        # The driver must not begin transactions by itself: whether one is for writing is known here alone.
        engine = create_engine(
            URL.create("sqlite+aiosqlite", database=self.path), connect_args={"isolation_level": None}
        )
        event.listen(engine.sync_engine, "connect", self._prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine

    def _probe_sqlite(self) -> None:
        """Raise when the file cannot be opened, or is none: aiosqlite would leave a thread behind that complains."""
        with closing(sqlite3.connect(self.path)) as connection:
            connection.execute("PRAGMA schema_version")

    def _prepare_sqlite(self, connection: Any, _record: object) -> None:
        prepare_sqlite(connection, self.synchronous)

    def _postgres_engine(self) -> AsyncEngine:
        return create_engine(
            "postgresql+asyncpg://",
            async_creator=functools.partial(connect_postgres, self.dsn),
            pool_size=_POSTGRES_POOL,
            max_overflow=_POSTGRES_POOL,
            pool_timeout=_POSTGRES_TIMEOUT,
            pool_use_lifo=True,
            pool_pre_ping=True,
        )

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[AsyncConnection]:
        """Open a connection for reading. Raises `Unavailable` when the database cannot be reached."""
        async with self._opened(writes=False) as connection:
            yield connection

    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[AsyncConnection]:
        """Open a transaction for writing: committed at the end, rolled back when the block raises.

        Raises `Unavailable` when the database cannot be reached or stays locked.
        """
        async with self._opened(writes=True) as connection, connection.begin():
            yield connection

    @asynccontextmanager
    async def _opened(self, *, writes: bool) -> AsyncGenerator[AsyncConnection]:
        try:
            if self._engine is None and self.dialect == "sqlite":
                self._probe_sqlite()
            connection = await self.engine.connect()
        except self._connect_errors() as error:
            away = Unavailable("The gateway's database cannot be reached.")
            reason = str(getattr(error, "orig", None) or error) or f"no answer within {_POSTGRES_TIMEOUT:g} s"
            away.add_note(f"{self.shown}: {reason}")  # for the operator only
            raise away from error
        try:
            try:
                if writes:
                    await connection.execution_options(gateway_writes=True)
                yield connection
            finally:
                # Rolls back what was read, which a database that goes away breaks, too.
                await connection.close()
        except (DBAPIError, PoolTimeout) as error:
            if isinstance(error, DBAPIError) and not (
                isinstance(error, _AWAY) or error.connection_invalidated
            ):
                raise
            raise Unavailable("The gateway's database does not answer.") from error

    def _connect_errors(self) -> tuple[type[Exception], ...]:
        if self.dialect == "sqlite":
            return (SQLAlchemyError, OSError, sqlite3.Error)
        import asyncpg  # noqa: PLC0415 - an extra

        return (SQLAlchemyError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)

    async def close(self) -> None:
        """Close all connections; the database may be used again afterwards, from another event loop too."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.dispose()


def prepare_sqlite(connection: sqlite3.Connection, synchronous: str) -> None:
    """Set up a new SQLite connection: write-ahead log, patience with other writers, foreign keys."""
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_SQLITE_BUSY_MS}")
    _use_write_ahead_log(cursor)
    cursor.execute(f"PRAGMA synchronous = {synchronous}")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _use_write_ahead_log(cursor: sqlite3.Cursor) -> None:
    """Switch the file over, once in its life. SQLite does not wait for others at that, so do it here."""
    deadline = time.monotonic() + _SQLITE_BUSY_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode")
            if cursor.fetchone()[0] != "wal":
                cursor.execute("PRAGMA journal_mode = wal")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


async def connect_postgres(dsn: str) -> Any:
    """Open a PostgreSQL connection with asyncpg."""
    import asyncpg  # noqa: PLC0415 - an extra

    connect: Any = asyncpg.connect  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - partly untyped
    return await connect(dsn, timeout=_POSTGRES_TIMEOUT)


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("gateway_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
