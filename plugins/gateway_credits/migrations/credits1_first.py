"""Accounts, balances, the journal, grants, holds and events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "credits1"
down_revision = None
branch_labels = ("credits",)
depends_on = None


def _account() -> list[sa.Column[str]]:
    return [
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("owner", sa.String(200), primary_key=True),
    ]


def upgrade() -> None:
    op.create_table(
        "credit_accounts",
        *_account(),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("level", sa.String(10), nullable=False),
    )
    op.create_table(
        "credit_balances",
        *_account(),
        sa.Column("balance", sa.BigInteger, nullable=False),
        sa.Column("held", sa.BigInteger, nullable=False),
        sa.Column("undrawn", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "credit_transactions",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=True),
        sa.Column("owner", sa.String(200), nullable=True),
        sa.Column("reference", sa.String(200), nullable=True),
        sa.Column("note", sa.String(200), nullable=True),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "credit_transactions_reference",
        "credit_transactions",
        ["kind", "reference"],
        unique=True,
        sqlite_where=sa.text("reference IS NOT NULL"),
        postgresql_where=sa.text("reference IS NOT NULL"),
    )
    op.create_table(
        "credit_entries",
        *_account(),
        sa.Column("at", sa.Float(53), primary_key=True),
        sa.Column("transaction", sa.String(40), primary_key=True),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "credit_grants",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("priority", sa.SmallInteger, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("remaining", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("expires_at", sa.Float(53), nullable=True),
    )
    op.create_index("credit_grants_account", "credit_grants", ["tenant", "owner"])
    op.create_index(
        "credit_grants_expiry",
        "credit_grants",
        ["expires_at"],
        sqlite_where=sa.text("remaining > 0"),
        postgresql_where=sa.text("remaining > 0"),
    )
    op.create_table(
        "credit_holds",
        sa.Column("call", sa.String(40), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(200), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("expires_at", sa.Float(53), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "credit_holds_open",
        "credit_holds",
        ["expires_at"],
        sqlite_where=sa.text("status = 'held'"),
        postgresql_where=sa.text("status = 'held'"),
    )
    op.create_table(
        "credit_events",
        sa.Column(
            "position",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("available", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "credit_leases",
        sa.Column("name", sa.String(20), primary_key=True),
        sa.Column("worker", sa.String(40), nullable=False),
        sa.Column("leased_until", sa.Float(53), nullable=False),
    )
