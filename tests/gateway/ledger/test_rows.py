"""What a call leaves in its row, however few of its columns are written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

import pytest

from gateway.ledger import Ledger
from gateway.store import Database
from gateway.store.calls import get_call
from gateway.types import Call, Outcome, Principal


@pytest.mark.parametrize("durability", ["intent", "settle"])
async def test_calls_of_one_batch_keep_what_only_some_have(
    database: Database,
    make_call: Callable[..., Call],
    make_outcome: Callable[..., Outcome],
    durability: Literal["intent", "settle"],
):
    ledger = Ledger(database, durability=durability)
    await ledger.start()
    given = [(user, theirs) for user in ("ann", None) for theirs in ("mine", None)]
    calls = [
        make_call(
            client_request_id=theirs, principal=Principal(tenant="acme", authenticator="test", user=user)
        )
        for user, theirs in given
    ]
    await asyncio.gather(*map(ledger.open, calls))
    for call in calls:
        ledger.settle(call, make_outcome())
    await ledger.stop()
    rows = [await get_call(database, call.id) for call in calls]
    assert [(row.user, row.client_request_id, row.status) for row in rows if row is not None] == [
        (*each, "success") for each in given
    ]
