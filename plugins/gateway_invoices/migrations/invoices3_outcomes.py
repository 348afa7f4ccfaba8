"""What became of each tenant in a month, and what stopped a run."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "invoices3"
down_revision = "invoices2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    stopped = "what stopped it, until a later try succeeds"
    op.add_column("invoice_runs", sa.Column("error", sa.Text, nullable=True, comment=stopped))
    outcomes = op.create_table(
        "invoice_outcomes",
        sa.Column("period_start", sa.Float(53), primary_key=True, comment="of the run"),
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("state", sa.String(12), nullable=False, comment="drafted, failed or without_data"),
        sa.Column("error", sa.Text, nullable=True, comment="why there is no draft, or why it is not issued"),
        comment="what became of each tenant in a month; those that used nothing are not there",
    )
    runs = sa.table("invoice_runs", sa.column("period_start", sa.Float), sa.column("without_data", sa.JSON))
    rows = [
        {"period_start": start, "tenant": tenant, "state": "without_data"}
        for start, tenants in op.get_bind().execute(sa.select(runs))
        for tenant in tenants
    ]
    if rows:
        op.bulk_insert(outcomes, rows)
    op.drop_column("invoice_runs", "without_data")


def downgrade() -> None:
    lacking = "tenants with charges whose customer data lack"
    op.add_column(
        "invoice_runs",
        sa.Column("without_data", sa.JSON, nullable=False, server_default="[]", comment=lacking),
    )
    op.drop_table("invoice_outcomes")
    op.drop_column("invoice_runs", "error")
