"""The tables of `billing.budgets`. Amounts are integers of 10⁻⁹ credit, `start` is that of a period in Unix seconds."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, MetaData, String, Table, text

metadata = MetaData()

budgets = Table(
    "budgets",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("scope", String(10), nullable=False, comment="tenant, key, user, team or model"),
    Column("subject", String(200), nullable=False, comment="an id, a name or prefix*; '' for the tenant"),
    Column("period", String(10), nullable=False, comment="day, week, month or total"),
    Column("time_zone", String(60), nullable=False, comment="in which periods begin at midnight"),
    Column("amount", BigInteger, nullable=False),
    Column("kind", String(10), nullable=False, comment="hard or soft"),
    Column("created_at", Float(53), nullable=False),
    Column("updated_at", Float(53), nullable=False),
    Column("revision", BigInteger, nullable=False, comment="of the last change; see revisions"),
    Index("budgets_subject", "tenant", "scope", "subject", "period", unique=True),
)

spending = Table(
    "budget_spending",
    metadata,
    Column("budget", String(40), primary_key=True, comment="or the id of a key that has one of its own"),
    Column("start", BigInteger, primary_key=True),
    Column("spent", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False, comment="the sum of the lines of calls under way"),
    sqlite_with_rowid=False,
)

holds = Table(
    "budget_holds",
    metadata,
    Column("call", String(40), primary_key=True),
    Column("status", String(10), nullable=False, comment="held or settled; settled ones are swept away"),
    Index(
        "budget_holds_settled",
        "call",
        sqlite_where=text("status = 'settled'"),
        postgresql_where=text("status = 'settled'"),
    ),
    sqlite_with_rowid=False,
)

lines = Table(
    "budget_lines",
    metadata,
    Column("call", String(40), primary_key=True),
    Column("budget", String(40), primary_key=True),
    Column("start", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False, comment="reserved for the call"),
    sqlite_with_rowid=False,
)

alerts = Table(
    "budget_alerts",
    metadata,
    Column("budget", String(40), primary_key=True),
    Column("start", BigInteger, primary_key=True),
    Column("threshold", Integer, primary_key=True, autoincrement=False, comment="per cent of the amount"),
    Column("tenant", String(64), nullable=False, index=True),
    Column("amount", BigInteger, nullable=False),
    Column("spent", BigInteger, nullable=False),
    Column("at", Float(53), nullable=False),
    sqlite_with_rowid=False,
)
