"""Months whose drafts the gateway makes, and when it issues them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "invoices2"
down_revision = "invoices1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    when = "of a draft: from when on the gateway issues it"
    op.add_column("invoices", sa.Column("issue_at", sa.Float(53), nullable=True, comment=when))
    op.create_table(
        "invoice_runs",
        sa.Column("period_start", sa.Float(53), primary_key=True),
        sa.Column("period_end", sa.Float(53), nullable=False, comment="the first moment after it"),
        sa.Column("holder", sa.String(60), nullable=True, comment="the worker that drafts"),
        sa.Column("held_until", sa.Float(53), nullable=False, comment="when another may go on in its place"),
        sa.Column("drafted", sa.Integer, nullable=False),
        sa.Column(
            "without_data", sa.JSON, nullable=False, comment="tenants with charges whose customer data lack"
        ),
        sa.Column("done_at", sa.Float(53), nullable=True),
        comment="months whose drafts the gateway makes",
    )


def downgrade() -> None:
    op.drop_table("invoice_runs")
    op.drop_column("invoices", "issue_at")
