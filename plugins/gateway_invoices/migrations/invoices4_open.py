"""What is still to be paid of an invoice, less what was credited of it until now."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "invoices4"
down_revision = "invoices3"
branch_labels = None
depends_on = None

_OPEN = """
UPDATE invoices SET open = total + COALESCE((SELECT SUM(note.total) FROM invoices AS note WHERE note."of" = invoices.id), 0)
WHERE kind = 'invoice' AND status = 'issued'
"""


def upgrade() -> None:
    comment = "still to be paid; below zero, owed to the customer"
    column = sa.Column("open", sa.BigInteger, nullable=False, server_default="0", comment=comment)
    op.add_column("invoices", column)
    op.execute(sa.text(_OPEN))
    # What asks for nothing is paid, and a credit note of before was given back by whoever wrote it.
    op.execute(
        sa.text(
            "UPDATE invoices SET status = 'paid', paid_at = issued_at WHERE status = 'issued' AND open = 0"
        )
    )


def downgrade() -> None:
    op.drop_column("invoices", "open")
