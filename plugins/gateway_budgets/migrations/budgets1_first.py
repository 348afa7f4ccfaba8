"""Budgets, what was spent of them, what is reserved for calls under way, and alerts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "budgets1"
down_revision = None
branch_labels = ("budgets",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "budgets",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("scope", sa.String(10), nullable=False, comment="tenant, key, user, team or model"),
        sa.Column(
            "subject", sa.String(200), nullable=False, comment="an id, a name or prefix*; '' for the tenant"
        ),
        sa.Column("period", sa.String(10), nullable=False, comment="day, week, month or total"),
        sa.Column("time_zone", sa.String(60), nullable=False, comment="in which periods begin at midnight"),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(10), nullable=False, comment="hard or soft"),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("updated_at", sa.Float(53), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False, comment="of the last change; see revisions"),
    )
    op.create_index("budgets_subject", "budgets", ["tenant", "scope", "subject", "period"], unique=True)
    op.create_table(
        "budget_spending",
        sa.Column(
            "budget", sa.String(40), primary_key=True, comment="or the id of a key that has one of its own"
        ),
        sa.Column("start", sa.BigInteger, primary_key=True),
        sa.Column("spent", sa.BigInteger, nullable=False),
        sa.Column(
            "reserved", sa.BigInteger, nullable=False, comment="the sum of the lines of calls under way"
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "budget_holds",
        sa.Column("call", sa.String(40), primary_key=True),
        sa.Column(
            "status", sa.String(10), nullable=False, comment="held or settled; settled ones are swept away"
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "budget_holds_settled",
        "budget_holds",
        ["call"],
        sqlite_where=sa.text("status = 'settled'"),
        postgresql_where=sa.text("status = 'settled'"),
    )
    op.create_table(
        "budget_lines",
        sa.Column("call", sa.String(40), primary_key=True),
        sa.Column("budget", sa.String(40), primary_key=True),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False, comment="reserved for the call"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "budget_alerts",
        sa.Column("budget", sa.String(40), primary_key=True),
        sa.Column("start", sa.BigInteger, primary_key=True),
        sa.Column(
            "threshold", sa.Integer, primary_key=True, autoincrement=False, comment="per cent of the amount"
        ),
        sa.Column("tenant", sa.String(64), nullable=False, index=True),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("spent", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sqlite_with_rowid=False,
    )
