"""Who calls and what they may do: users, identities, roles, sessions, single-use tickets, the audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "admin_requests",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column(
            "key",
            sa.String(length=200),
            nullable=False,
            comment="the client's Idempotency-Key, with who sent it",
        ),
        sa.Column(
            "fingerprint", sa.LargeBinary(length=32), nullable=False, comment="of method, path and body"
        ),
        sa.Column("status", sa.Integer(), nullable=True, comment="null while it runs"),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("expires_at", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "key"),
        comment="creations that are not to be done twice",
    )
    op.create_index("ix_admin_requests_expires_at", "admin_requests", ["expires_at"])
    op.create_table(
        "audit_log",
        sa.Column(
            "position",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("at", sa.Float(precision=53), nullable=False),
        sa.Column(
            "tenant", sa.String(length=64), nullable=False, comment="'' for what concerns the whole gateway"
        ),
        sa.Column(
            "actor_kind",
            sa.String(length=20),
            nullable=False,
            comment="user, key, component, command or gateway",
        ),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False, comment="object.verb, as key.revoke"),
        sa.Column("object", sa.String(length=500), nullable=False, comment="the id of what it was done to"),
        sa.Column("before", sa.JSON(), nullable=True, comment="what was there, without secrets"),
        sa.Column("after", sa.JSON(), nullable=True),
        sa.Column("request_id", sa.String(length=60), nullable=True),
        sa.Column("address", sa.String(length=64), nullable=True),
        sa.Column(
            "previous", sa.LargeBinary(length=32), nullable=False, comment="the hash of the entry before"
        ),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("position"),
        comment="who did what; rows are only ever added",
    )
    op.create_index("audit_log_tenant", "audit_log", ["tenant", "position"])
    op.create_table(
        "identities",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("user", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False, comment="oidc, did or passkey"),
        sa.Column(
            "subject",
            sa.String(length=500),
            nullable=False,
            comment="issuer and sub, the DID, or the credential's id",
        ),
        sa.Column(
            "label",
            sa.String(length=200),
            nullable=False,
            comment="for people: an address, the name of a device",
        ),
        sa.Column(
            "data",
            sa.JSON(),
            nullable=False,
            comment="what its kind needs: a passkey's public key and counter",
        ),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("last_used_at", sa.Float(precision=53), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("kind", "subject", name="identities_subject"),
        comment="the ways in which a user signs in; one user may have many",
    )
    op.create_index("ix_identities_user", "identities", ["user"])
    op.create_table(
        "invitations",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=True),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False, comment="of the token in the link"),
        sa.Column("created_by", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("expires_at", sa.Float(precision=53), nullable=False),
        sa.Column("accepted_at", sa.Float(precision=53), nullable=True),
        sa.Column("accepted_by", sa.String(length=40), nullable=True),
        sa.Column("revoked_at", sa.Float(precision=53), nullable=True),
        sa.Column("revision", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_table(
        "kept_answers",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column(
            "id", sa.String(length=64), nullable=False, comment="SHA-256 of endpoint and Idempotency-Key"
        ),
        sa.Column("key", sa.String(length=40), nullable=True, comment="the API key that asked first"),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False, comment="of the request"),
        sa.Column("worker", sa.String(length=40), nullable=False, comment="who makes the answer"),
        sa.Column(
            "status", sa.Integer(), nullable=True, comment="null while it is made; 0 where it was too large"
        ),
        sa.Column(
            "answer", sa.LargeBinary(), nullable=True, comment="MessagePack: headers, and the body in pieces"
        ),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("expires_at", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
        comment="what was answered to requests that are to be carried out once",
    )
    op.create_index("ix_kept_answers_expires_at", "kept_answers", ["expires_at"])
    op.create_table(
        "memberships",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("user", sa.String(length=40), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "user"),
    )
    op.create_index("ix_memberships_user", "memberships", ["user"])
    op.create_table(
        "roles",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("description", sa.String(length=500), nullable=False),
        sa.Column("permissions", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("updated_at", sa.Float(precision=53), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name"),
        comment="a tenant's own roles, beside those that every tenant has",
    )
    op.create_table(
        "service_accounts",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("updated_at", sa.Float(precision=53), nullable=False),
        sa.Column("disabled_at", sa.Float(precision=53), nullable=True),
        sa.Column("revision", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
        comment="callers that are no people; their keys name them as owner",
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("user", sa.String(length=40), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False, comment="for whom it acts at present"),
        sa.Column(
            "identity", sa.String(length=40), nullable=True, comment="the one that it was signed in with"
        ),
        sa.Column(
            "method",
            sa.String(length=40),
            nullable=False,
            comment="how: link, oidc, passkey, siwe, did-key, did-connect",
        ),
        sa.Column("access_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("access_expires_at", sa.Float(precision=53), nullable=False),
        sa.Column("refresh_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column(
            "spent_digest", sa.LargeBinary(length=32), nullable=True, comment="of the refresh token before"
        ),
        sa.Column(
            "family_digest",
            sa.LargeBinary(length=32),
            nullable=False,
            comment="of what all its refresh tokens begin with, so that any old one is known for what it is",
        ),
        sa.Column(
            "salt",
            sa.LargeBinary(length=32),
            nullable=False,
            comment="with which the last refresh made its tokens",
        ),
        sa.Column("refreshed_at", sa.Float(precision=53), nullable=False),
        sa.Column("csrf", sa.String(length=46), nullable=False, comment="the token that its forms carry"),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("last_seen_at", sa.Float(precision=53), nullable=False),
        sa.Column("expires_at", sa.Float(precision=53), nullable=False),
        sa.Column("revoked_at", sa.Float(precision=53), nullable=True),
        sa.Column(
            "address",
            sa.String(length=64),
            nullable=True,
            comment="the client's, when it last asked for tokens",
        ),
        sa.Column("agent", sa.String(length=300), nullable=True, comment="the client's own words for itself"),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("access_digest"),
        sa.UniqueConstraint("family_digest"),
    )
    op.create_index("ix_sessions_revision", "sessions", ["revision"])
    op.create_index("ix_sessions_user", "sessions", ["user"])
    op.create_table(
        "team_members",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("team", sa.String(length=40), nullable=False),
        sa.Column("user", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "team", "user"),
    )
    op.create_table(
        "teams",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("updated_at", sa.Float(precision=53), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_table(
        "tickets",
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column(
            "digest", sa.LargeBinary(length=32), nullable=False, comment="of the token, or of what is spent"
        ),
        sa.Column("data", sa.JSON(), nullable=True),
        sa.Column("expires_at", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("purpose", "digest"),
        comment="what may be used once: sign-in links, challenges, nonces, states of a sign-in under way",
    )
    op.create_index("ix_tickets_expires_at", "tickets", ["expires_at"])
    op.create_table(
        "users",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=True),
        sa.Column("email_verified", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("locale", sa.String(length=20), nullable=True),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("updated_at", sa.Float(precision=53), nullable=False),
        sa.Column("disabled_at", sa.Float(precision=53), nullable=True),
        sa.Column(
            "erased_at",
            sa.Float(precision=53),
            nullable=True,
            comment="its personal data is gone from then on",
        ),
        sa.Column("revision", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        comment="people; what they may do is in memberships",
    )
    op.create_index("ix_users_email", "users", ["email"])
    op.add_column(
        "api_keys",
        sa.Column(
            "owner",
            sa.String(length=40),
            nullable=True,
            comment="the user or service account that it belongs to",
        ),
    )
    op.add_column(
        "api_keys",
        sa.Column(
            "scopes", sa.JSON(), nullable=True, comment="permissions; null: to make calls, and no more"
        ),
    )
    op.add_column(
        "api_keys",
        sa.Column("endpoints", sa.JSON(), nullable=True, comment="allow-list of paths; null allows all"),
    )
    op.add_column(
        "api_keys",
        sa.Column(
            "networks",
            sa.JSON(),
            nullable=True,
            comment="allow-list of addresses and networks; null allows all",
        ),
    )
    op.add_column(
        "api_keys", sa.Column("limits", sa.JSON(), nullable=True, comment="by the names of CallLimits")
    )
    op.add_column(
        "api_keys",
        sa.Column("budget", sa.JSON(), nullable=True, comment="what it may spend: amount, currency, period"),
    )
    op.add_column("api_keys", sa.Column("last_used_at", sa.Float(precision=53), nullable=True))
    op.add_column("tenants", sa.Column("updated_at", sa.Float(precision=53), nullable=True))
    op.add_column(
        "tenants",
        sa.Column(
            "suspended_at",
            sa.Float(precision=53),
            nullable=True,
            comment="its calls are refused from then on",
        ),
    )
    op.add_column(
        "tenants",
        sa.Column(
            "erased_at",
            sa.Float(precision=53),
            nullable=True,
            comment="its personal data is gone from then on",
        ),
    )
    op.add_column(
        "tenants", sa.Column("models", sa.JSON(), nullable=True, comment="allow-list; null allows all")
    )
    op.add_column(
        "tenants", sa.Column("providers", sa.JSON(), nullable=True, comment="allow-list; null allows all")
    )
    op.add_column(
        "tenants", sa.Column("limits", sa.JSON(), nullable=True, comment="by the names of CallLimits")
    )
    op.add_column(
        "tenants",
        sa.Column(
            "retention_days",
            sa.Integer(),
            nullable=True,
            comment="how long calls keep what is personal; null: for good",
        ),
    )
    op.add_column(
        "tenants",
        sa.Column(
            "swept_until",
            sa.Float(precision=53),
            nullable=True,
            comment="calls before it keep nothing personal any more",
        ),
    )
    op.add_column(
        "tenants",
        sa.Column(
            "revision",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="of the last change",
        ),
    )
    _keep_audit_log()


def _keep_audit_log() -> None:
    """Have the database itself refuse to change or remove entries of the audit log."""
    if op.get_bind().dialect.name == "sqlite":
        for change in ("update", "delete"):
            op.execute(
                f"CREATE TRIGGER audit_log_no_{change} BEFORE {change.upper()} ON audit_log "
                "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit_log_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_log_append_only()"
    )
