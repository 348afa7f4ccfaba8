"""Keeps responses: writes them down, and clears away what is too old or whose worker has died."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from typing import Any

import msgspec

from gateway.errors import GatewayError, InvalidRequest, Unavailable
from gateway.ledger import Ledger
from gateway.rounds import Rounds
from gateway.store import Database, Unit
from gateway.store.responses import (
    StoredResponse,
    delete_expired,
    finished,
    get_chain,
    get_response,
    orphans,
)

log = logging.getLogger("gateway.responses")

PATROL_SECONDS = 10.0
EXPIRY_SECONDS = 3600.0


class Keeper(Rounds):
    """The stored responses of one gateway. `days` is how long one is kept."""

    def __init__(self, database: Database, ledger: Ledger, *, days: float) -> None:
        super().__init__("gateway responses", pause=PATROL_SECONDS, log=log)
        self.database = database
        self.days = days
        self._ledger = ledger
        self._expiry = 0.0

    @property
    def worker(self) -> str:
        """Whose lease the responses of this process run under."""
        return self._ledger.worker

    async def write(self, unit: Unit) -> None:
        """Write; returns when it is durable. Raises `Unavailable`, or the refusal of a guard."""
        await self._ledger.write(unit)

    async def get(self, tenant: str, id: str) -> StoredResponse:
        """Return a response. Raises `InvalidRequest` (404) when the tenant has no such one."""
        found = await get_response(self.database, tenant, id)
        if found is None:
            raise InvalidRequest(f"Response with id '{id}' not found.", status=404)
        return found

    async def chain(self, tenant: str, id: str) -> list[StoredResponse]:
        """Return a response after all that it continues. Raises `InvalidRequest` when that cannot be continued."""
        chain = await get_chain(self.database, tenant, id)
        if not chain:
            raise InvalidRequest(
                f"Previous response with id '{id}' not found: it, or one before it, was never stored here, or was "
                "deleted, or has expired. Send the conversation as 'input' instead.",
                param="previous_response_id",
                code="previous_response_not_found",
            )
        if chain[-1].worker is not None:
            raise InvalidRequest(
                f"Previous response with id '{id}' is still running. Wait until it is completed.",
                param="previous_response_id",
                code="previous_response_not_completed",
            )
        return chain

    async def go_round(self) -> None:
        """Clear away. Raises `Unavailable`."""
        await self.settle_orphans()
        if time.monotonic() >= self._expiry:
            count = await delete_expired(self.database)
            self._expiry = time.monotonic() + EXPIRY_SECONDS
            if count:
                log.info("%d stored responses were past their time and are deleted", count)

    async def settle_orphans(self, calls: Collection[str] = ()) -> int:
        """Fail the responses whose worker has died, or whose call is one of these; return how many there were."""
        found = await orphans(self.database, calls)
        for row in found:
            error = {"code": "server_error", "message": "The gateway process that ran this response ended."}
            ended = failed_object(row, "failed", error)
            try:
                await self.write((finished(row, "failed", ended),))
            except Unavailable:
                raise
            except GatewayError:
                continue  # another worker was quicker
        return len(found)


def failed_object(row: StoredResponse, status: str, error: Any) -> bytes:
    """Make the response object of one that did not get to its end."""
    fields: dict[str, Any] = msgspec.json.decode(row.response)
    return msgspec.json.encode({**fields, "status": status, "error": error})
