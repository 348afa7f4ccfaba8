"""What a call used that is not text: pictures, seconds, characters, searches, tokens of sound."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    comment = "JSON: usage that is not text, by the names of Usage"
    op.add_column("model_calls", sa.Column("units", sa.Text, nullable=True, comment=comment))
