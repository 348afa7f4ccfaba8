"""Services that sign their calls, and the vault's credentials."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "components",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column(
            "scheme", sa.String(length=20), nullable=False, comment="rfc9421, aigne-app or aigne-remote"
        ),
        sa.Column(
            "key_id",
            sa.String(length=200),
            nullable=False,
            comment="as signatures name it: a did:key, an app id",
        ),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("models", sa.JSON(), nullable=True, comment="allow-list; null allows all"),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("updated_at", sa.Float(precision=53), nullable=False),
        sa.Column("disabled_at", sa.Float(precision=53), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
        sa.UniqueConstraint("scheme", "key_id", name="components_key"),
        comment="services that sign their calls",
    )
    op.create_index("ix_components_revision", "components", ["revision"])
    op.create_table(
        "credentials",
        sa.Column(
            "tenant",
            sa.String(length=64),
            nullable=False,
            comment="'' for the operator's, which all tenants use",
        ),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("provider", sa.String(length=100), nullable=False, comment="the instance in plugins.toml"),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column(
            "sealed", sa.LargeBinary(), nullable=False, comment="the secret, sealed with a key of the vault"
        ),
        sa.Column(
            "master_key", sa.String(length=40), nullable=False, comment="id of the key that it is sealed with"
        ),
        sa.Column(
            "hint", sa.String(length=16), nullable=False, comment="the first and last characters, for people"
        ),
        sa.Column("weight", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("last_error_at", sa.Float(precision=53), nullable=True),
        sa.Column(
            "checked_at",
            sa.Float(precision=53),
            nullable=True,
            comment="when a real call with it last succeeded",
        ),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("updated_at", sa.Float(precision=53), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("ix_credentials_revision", "credentials", ["revision"])
