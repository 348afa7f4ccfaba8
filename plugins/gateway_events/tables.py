"""The table of `sink.table`."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, DateTime, MetaData, String, Table

metadata = MetaData()

usage_events = Table(
    "usage_events",
    metadata,
    Column("id", String(40), primary_key=True, comment="of the call and of its event"),
    Column(
        "time", DateTime(timezone=True), nullable=False, index=True, comment="when the call ended, in UTC"
    ),
    Column("tenant", String(64), nullable=False),
    Column("user", String(200), nullable=True),
    Column("model", String(200), nullable=False, comment="as the client wrote it"),
    Column("provider", String(100), nullable=True),
    Column("status", String(12), nullable=False),
    Column("cost_nano", BigInteger, nullable=True, comment="10⁻⁹ of the price book's currency"),
    Column("charge_nano", BigInteger, nullable=True, comment="10⁻⁹ credit"),
    Column("event", JSON, nullable=False, comment="the whole event, as CloudEvents writes it in JSON"),
    comment="an event for each settled call",
)
