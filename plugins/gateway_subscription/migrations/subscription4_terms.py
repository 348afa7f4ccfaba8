"""What of a plan's terms must be known later is kept with each period. Rows of before get it when the gateway starts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "subscription4"
down_revision = "subscription3"
branch_labels = None
depends_on = None


def upgrade() -> None:
    began = "refuse, charge or allow, from when the period began"
    price = "of the whole period, as it was when it began"
    then = "what happens beyond it, as it was then"
    op.add_column("subscriptions", sa.Column("overage", sa.String(8), nullable=True, comment=began))
    op.add_column("subscriptions", sa.Column("price", sa.BigInteger, nullable=True, comment=price))
    op.add_column("subscription_charges", sa.Column("overage", sa.String(8), nullable=True, comment=then))
    op.add_column(
        "subscription_charges",
        sa.Column("name", sa.Text, nullable=True, comment="of the plan, as it was then"),
    )


def downgrade() -> None:
    op.drop_column("subscription_charges", "name")
    op.drop_column("subscription_charges", "overage")
    op.drop_column("subscriptions", "price")
    op.drop_column("subscriptions", "overage")
