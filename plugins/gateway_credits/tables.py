"""The tables of `billing.credits`. Amounts are integers of 10⁻⁹ credit.

An account is a tenant and an owner: `''` for the tenant's own account, a user's id for theirs. A transaction is one row: what
its account gained, the other side lost, which is another account or one of the gateway's own.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    text,
)

metadata = MetaData()

OPEN: Final = text("status = 'held'")
"""Of a hold."""

accounts = Table(
    "credit_accounts",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("owner", String(200), primary_key=True, comment="'' for the tenant's own account"),
    Column("created_at", Float(53), nullable=False),
    Column("level", String(10), nullable=False, comment="ok, low or exhausted: what was last told of it"),
)

balances = Table(
    "credit_balances",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("owner", String(200), primary_key=True),
    Column(
        "balance",
        BigInteger,
        nullable=False,
        comment="the sum of what the journal moved to it, less what from it",
    ),
    Column("held", BigInteger, nullable=False, comment="the sum of its open holds"),
    Column("undrawn", BigInteger, nullable=False, comment="spent, but not yet taken from a grant"),
    sqlite_with_rowid=False,
)

journal = Table(
    "credit_journal",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("owner", String(200), primary_key=True),
    Column("at", Float(53), primary_key=True, comment="so an account's lie in their order"),
    Column("id", String(40), primary_key=True, comment="of a capture, that of its call"),
    Column("kind", String(12), nullable=False),
    Column("amount", BigInteger, nullable=False, comment="what the account gained and the other side lost"),
    Column("other_tenant", String(64), nullable=True, comment="of the other side; null for the gateway's"),
    Column("other_owner", String(200), nullable=False),
    Column("reference", String(200), nullable=True, comment="unique among those of its kind"),
    Column("note", String(200), nullable=True),
    Index(
        "credit_journal_reference",
        "kind",
        "reference",
        unique=True,
        sqlite_where=text("reference IS NOT NULL"),
        postgresql_where=text("reference IS NOT NULL"),
    ),
    Index(
        "credit_journal_other",
        "other_tenant",
        "other_owner",
        "at",
        sqlite_where=text("other_tenant IS NOT NULL"),
        postgresql_where=text("other_tenant IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
    comment="double-entry: a row is a transaction, with the account and the other side that it moves an amount between",
)

grants = Table(
    "credit_grants",
    metadata,
    Column("id", String(40), primary_key=True, comment="that of the transaction which made it, and a number"),
    Column("tenant", String(64), nullable=False),
    Column("owner", String(200), nullable=False),
    Column("kind", String(12), nullable=False, comment="paid or promotional"),
    Column("priority", SmallInteger, nullable=False, comment="0 is spent first"),
    Column("amount", BigInteger, nullable=False),
    Column("remaining", BigInteger, nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("expires_at", Float(53), nullable=True),
    Column("expired", BigInteger, nullable=False, server_default="0", comment="the rest was spent"),
    Index("credit_grants_account", "tenant", "owner"),
    Index(
        "credit_grants_expiry",
        "expires_at",
        sqlite_where=text("remaining > 0"),
        postgresql_where=text("remaining > 0"),
    ),
)

holds = Table(
    "credit_holds",
    metadata,
    Column("call", String(40), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("owner", String(200), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("status", String(10), nullable=False, comment="held, settled or expired"),
    Column("expires_at", Float(53), nullable=False),
    sqlite_with_rowid=False,
    comment="of calls under way: without an index, as they are few and go with their calls",
)

events = Table(
    "credit_events",
    metadata,
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", Float(53), nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("owner", String(200), nullable=False),
    Column("kind", String(10), nullable=False, comment="low or exhausted"),
    Column("available", BigInteger, nullable=False),
)

leases = Table(
    "credit_leases",
    metadata,
    Column("name", String(20), primary_key=True),
    Column("worker", String(40), nullable=False),
    Column("leased_until", Float(53), nullable=False),
)
