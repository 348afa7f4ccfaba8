"""The tables of `service.receipts`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, MetaData, String, Table, Text

metadata = MetaData()

chains = Table(
    "receipt_chains",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("account", String(40), nullable=False, comment="what its receipts call the tenant"),
    Column("number", BigInteger, nullable=False, comment="of its last receipt; 0 before the first"),
    Column("hash", String(43), nullable=True, comment="of its last receipt"),
)

receipts = Table(
    "receipts",
    metadata,
    Column("call", String(40), primary_key=True, comment="its row in model_calls"),
    Column("tenant", String(64), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("receipt", Text, nullable=False, comment="as it was given: a compact JWS"),
    Index("receipts_number", "tenant", "number", unique=True),
)

owed = Table(
    "receipts_owed",
    metadata,
    Column("call", String(40), primary_key=True, comment="settled, and without its receipt so far"),
    Column("tenant", String(64), nullable=False),
    Column("at", Float(53), nullable=False, comment="when the call ended"),
    Index("receipts_owed_at", "at"),
)
