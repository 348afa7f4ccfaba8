"""What every batch is run with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from gateway.identity.tenants import Tenants
from gateway.ledger import Ledger
from gateway.pipeline import Pipeline
from gateway.store import Database
from gateway.wire import Wire


class Means:
    """The parts of a gateway that batches need; `at_once` is how many of their calls may run at the same time."""

    def __init__(
        self,
        *,
        database: Database,
        ledger: Ledger,
        pipeline: Pipeline,
        endpoints: Mapping[str, Wire],
        new_id: Callable[[], str],
        at_once: int,
        max_body: int,
        tenants: Tenants,
    ) -> None:
        self.database = database
        self.ledger = ledger
        self.pipeline = pipeline
        self.endpoints = endpoints
        """The dialect of each endpoint that a batch may be for, by path."""
        self.new_id = new_id
        self.at_once = at_once
        self.max_body = max_body
        """Bytes of one line's request."""
        self.tenants = tenants
        self.slots = asyncio.Semaphore(at_once)
