"""What is billed under which key: noted with the settlement, so that nothing is billed twice when an answer is lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway.store import Write
from gateway.store.kept_answers import BILLED, note_begun

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.types import Call, Outcome
    from gateway_idempotency.desk import Entry


class Bills:
    """`gateway.billing.OnSettled` of the requests with a key that this worker carries out, by their ids."""

    def __init__(self) -> None:
        self.worker = ""
        """The id of this worker; known from the start on."""
        self._under: dict[str, Entry] = {}

    def begin(self, request: str, entry: Entry) -> None:
        """Calls of this request are made under a key from now on."""
        self._under[request] = entry

    def end(self, request: str) -> None:
        """Its answer is written down, or it has none."""
        self._under.pop(request, None)

    async def begun(self, connection: AsyncConnection, entry: Entry, work: str) -> None:
        """Note work that is billed after its request was answered, with what stores it."""
        await note_begun(connection, entry.asked.tenant, entry.asked.id, work, worker=self.worker)

    def on_settle(self, call: Call, outcome: Outcome) -> Sequence[Write]:
        """Note a call that was answered; for one that failed, another try is as good."""
        entry = self._under.get(call.request_id)
        if entry is None or outcome.status != "success":
            return ()
        entry.billed.append(call.id)
        return (Write(BILLED, (call.id, entry.asked.tenant, entry.asked.id, self.worker)),)
