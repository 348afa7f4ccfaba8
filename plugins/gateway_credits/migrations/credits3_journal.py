"""A transaction is one row with both its sides: what stood in three rows is carried over."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.errors import ConfigError

revision = "credits3"
down_revision = "credits2"
branch_labels = None
depends_on = None

_CARRY = """
INSERT INTO credit_journal (tenant, owner, at, id, kind, amount, other_tenant, other_owner, reference, note)
SELECT own.tenant, own.owner, head.at, head.id, head.kind, own.amount, NULLIF(other.tenant, ''), other.owner,
  head.reference, head.note
FROM credit_transactions AS head
JOIN credit_entries AS own ON own."transaction" = head.id AND own.at = head.at
JOIN credit_entries AS other ON other."transaction" = head.id AND other.at = head.at
WHERE own.tenant <> '' AND own.amount = -other.amount AND (other.tenant = '' OR own.amount < 0)
"""
"""Where both sides are accounts, the row stands under the one that gave."""
_LEFT = """
SELECT (SELECT count(*) FROM credit_transactions) - (SELECT count(*) FROM credit_journal),
  (SELECT count(*) FROM credit_entries) - 2 * (SELECT count(*) FROM credit_journal)
"""


def upgrade() -> None:
    op.create_table(
        "credit_journal",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("owner", sa.String(200), primary_key=True),
        sa.Column("at", sa.Float(53), primary_key=True),
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("other_tenant", sa.String(64), nullable=True),
        sa.Column("other_owner", sa.String(200), nullable=False),
        sa.Column("reference", sa.String(200), nullable=True),
        sa.Column("note", sa.String(200), nullable=True),
        sqlite_with_rowid=False,
    )
    op.execute(_CARRY)
    left = op.get_bind().execute(sa.text(_LEFT)).one()
    if any(left):
        wrong = f"database: {left[0]} transactions and {left[1]} entries of credit do not balance"
        raise ConfigError([f"{wrong}: `gateway credits verify` of the version before tells which"])
    op.drop_table("credit_transactions")
    op.drop_table("credit_entries")
    op.create_index(
        "credit_journal_reference",
        "credit_journal",
        ["kind", "reference"],
        unique=True,
        sqlite_where=sa.text("reference IS NOT NULL"),
        postgresql_where=sa.text("reference IS NOT NULL"),
    )
    op.create_index(
        "credit_journal_other",
        "credit_journal",
        ["other_tenant", "other_owner", "at"],
        sqlite_where=sa.text("other_tenant IS NOT NULL"),
        postgresql_where=sa.text("other_tenant IS NOT NULL"),
    )
