"""The tables of what happens to money beside calls. Times are Unix seconds."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Float, Index, String, Table

from gateway.store.identity_tables import metadata

notices = Table(
    "notices",
    metadata,
    Column("id", String(40), primary_key=True, comment="made of what it tells of: telling twice makes one"),
    Column("kind", String(20), nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("user", String(200), nullable=True),
    Column("at", Float(53), nullable=False),
    Column("data", JSON, nullable=False),
    Column("sent", Boolean, nullable=False, comment="whether it is in the outboxes of the sinks"),
    Index("notices_tenant", "tenant", "at"),
    Index(
        "notices_new",
        "at",
        info={"where": "NOT sent"},
    ),
    comment="refunds, adjustments, low balances: what sinks are told of beside calls",
)

answered_calls = Table(
    "answered_calls",
    metadata,
    Column("call", String(40), primary_key=True, comment="a call that was billed"),
    Column("tenant", String(64), nullable=False),
    Column("answer", String(64), nullable=False, comment="the row of kept_answers that it was made for"),
    Column("worker", String(40), nullable=False, comment="who made it, and has to keep the answer"),
    Index("answered_calls_answer", "tenant", "answer"),
    comment="what was billed under an Idempotency-Key, in case that its answer is lost",
)
