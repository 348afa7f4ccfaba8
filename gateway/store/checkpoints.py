"""Checkpoints of a SQLite file, in a thread of their own.

SQLite lets the writer itself bring the write-ahead log into the database, whenever the log has a thousand pages: that
waits for the disk twice, and with it every call that waits for its intent. What is done beside the writer holds nobody up.
See https://sqlite.org/wal.html#ckpt.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from typing import TYPE_CHECKING

from gateway.store.database import prepare_sqlite

if TYPE_CHECKING:
    from gateway.store.database import Database

log = logging.getLogger("gateway.journal")

PAUSE = 1.0
"""Seconds from one checkpoint to the next, while there is something to do."""
MOST_PAGES = 16_384
"""Of the log, 64 MB: it grows for as long as somebody writes. Beyond this its writer has to begin it anew."""


class Checkpoints:
    """Brings in what is in the log, while `written` says that there is something."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._written = False
        self.too_long = False
        """Whether the writer is to begin the log anew, which takes two waits for the disk."""
        self._stopped = threading.Event()
        self._connection: sqlite3.Connection | None = None
        self._thread = threading.Thread(target=self._work, name="gateway checkpoints", daemon=True)
        self._thread.start()

    def written(self) -> None:
        """Note that something was committed. Callable from any thread."""
        self._written = True

    def stop(self) -> None:
        """End, after a checkpoint that is under way. Blocks."""
        self._stopped.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stopped.wait(PAUSE):
            if self._written:
                self._written = False
                try:
                    self._checkpoint()
                except sqlite3.Error as error:
                    log.warning(
                        "the write-ahead log grows: it cannot be brought into the database: %s", error
                    )
                    self._close()
                    self._written = True
        self._close()

    def _checkpoint(self) -> None:
        connection = self._connection
        if connection is None:
            connection = self._connection = sqlite3.connect(self._database.path, isolation_level=None)
            prepare_sqlite(connection, self._database.synchronous)
        _, pages, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        self.too_long = pages > MOST_PAGES

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
