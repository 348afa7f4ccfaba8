"""The tables of who calls and what they may do. Times are Unix seconds; `revision` is that of the last change."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from gateway.store.stored_tables import metadata

users = Table(
    "users",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("email", String(320), nullable=True, index=True),
    Column("email_verified", Boolean, nullable=False, server_default=text("false")),
    Column("locale", String(20), nullable=True),
    Column("created_at", Float(53), nullable=False),
    Column("updated_at", Float(53), nullable=False),
    Column("disabled_at", Float(53), nullable=True),
    Column("erased_at", Float(53), nullable=True, comment="its personal data is gone from then on"),
    Column("revision", BigInteger, nullable=False, server_default=text("0")),
    comment="people; what they may do is in memberships",
)

identities = Table(
    "identities",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("user", String(40), nullable=False, index=True),
    Column("kind", String(20), nullable=False, comment="oidc, did or passkey"),
    Column("subject", String(500), nullable=False, comment="issuer and sub, the DID, or the credential's id"),
    Column("label", String(200), nullable=False, comment="for people: an address, the name of a device"),
    Column("data", JSON, nullable=False, comment="what its kind needs: a passkey's public key and counter"),
    Column("created_at", Float(53), nullable=False),
    Column("last_used_at", Float(53), nullable=True),
    UniqueConstraint("kind", "subject", name="identities_subject"),
    comment="the ways in which a user signs in; one user may have many",
)

memberships = Table(
    "memberships",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("user", String(40), primary_key=True, index=True),
    Column("role", String(64), nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("revision", BigInteger, nullable=False, server_default=text("0")),
)

roles = Table(
    "roles",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("description", String(500), nullable=False),
    Column("permissions", JSON, nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("updated_at", Float(53), nullable=False),
    Column("revision", BigInteger, nullable=False, server_default=text("0")),
    comment="a tenant's own roles, beside those that every tenant has",
)

teams = Table(
    "teams",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("id", String(40), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("updated_at", Float(53), nullable=False),
    Column("revision", BigInteger, nullable=False, server_default=text("0")),
)

team_members = Table(
    "team_members",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("team", String(40), primary_key=True),
    Column("user", String(40), primary_key=True),
    Column("created_at", Float(53), nullable=False),
)

service_accounts = Table(
    "service_accounts",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("id", String(40), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("role", String(64), nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("updated_at", Float(53), nullable=False),
    Column("disabled_at", Float(53), nullable=True),
    Column("revision", BigInteger, nullable=False, server_default=text("0")),
    comment="callers that are no people; their keys name them as owner",
)

invitations = Table(
    "invitations",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("id", String(40), primary_key=True),
    Column("email", String(320), nullable=True),
    Column("role", String(64), nullable=False),
    Column("digest", LargeBinary(32), nullable=False, unique=True, comment="of the token in the link"),
    Column("created_by", String(200), nullable=True),
    Column("created_at", Float(53), nullable=False),
    Column("expires_at", Float(53), nullable=False),
    Column("accepted_at", Float(53), nullable=True),
    Column("accepted_by", String(40), nullable=True),
    Column("revoked_at", Float(53), nullable=True),
    Column("revision", BigInteger, nullable=False, server_default=text("0")),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("user", String(40), nullable=False, index=True),
    Column("tenant", String(64), nullable=False, comment="for whom it acts at present"),
    Column("identity", String(40), nullable=True, comment="the one that it was signed in with"),
    Column(
        "method", String(40), nullable=False, comment="how: link, oidc, passkey, siwe, did-key, did-connect"
    ),
    Column("access_digest", LargeBinary(32), nullable=False, unique=True),
    Column("access_expires_at", Float(53), nullable=False),
    Column("refresh_digest", LargeBinary(32), nullable=False),
    Column("spent_digest", LargeBinary(32), nullable=True, comment="of the refresh token before"),
    Column(
        "family_digest",
        LargeBinary(32),
        nullable=False,
        unique=True,
        comment="of what all its refresh tokens begin with, so that any old one is known for what it is",
    ),
    Column("salt", LargeBinary(32), nullable=False, comment="with which the last refresh made its tokens"),
    Column("refreshed_at", Float(53), nullable=False),
    Column("csrf", String(46), nullable=False, comment="the token that its forms carry"),
    Column("created_at", Float(53), nullable=False),
    Column("last_seen_at", Float(53), nullable=False),
    Column("expires_at", Float(53), nullable=False),
    Column("revoked_at", Float(53), nullable=True),
    Column("address", String(64), nullable=True, comment="the client's, when it last asked for tokens"),
    Column("agent", String(300), nullable=True, comment="the client's own words for itself"),
    Column("revision", BigInteger, nullable=False, index=True),
)

tickets = Table(
    "tickets",
    metadata,
    Column("purpose", String(40), primary_key=True),
    Column("digest", LargeBinary(32), primary_key=True, comment="of the token, or of what is spent"),
    Column("data", JSON, nullable=True),
    Column("expires_at", Float(53), nullable=False, index=True),
    comment="what may be used once: sign-in links, challenges, nonces, states of a sign-in under way",
)

components = Table(
    "components",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("id", String(40), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("scheme", String(20), nullable=False, comment="rfc9421, aigne-app or aigne-remote"),
    Column("key_id", String(200), nullable=False, comment="as signatures name it: a did:key, an app id"),
    Column("public_key", LargeBinary, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("models", JSON, nullable=True, comment="allow-list; null allows all"),
    Column("created_at", Float(53), nullable=False),
    Column("updated_at", Float(53), nullable=False),
    Column("disabled_at", Float(53), nullable=True),
    Column("revision", BigInteger, nullable=False, index=True),
    UniqueConstraint("scheme", "key_id", name="components_key"),
    comment="services that sign their calls",
)

credentials = Table(
    "credentials",
    metadata,
    Column("tenant", String(64), primary_key=True, comment="'' for the operator's, which all tenants use"),
    Column("id", String(40), primary_key=True),
    Column("provider", String(100), nullable=False, comment="the instance in plugins.toml"),
    Column("name", String(200), nullable=False),
    Column(
        "kind",
        String(40),
        nullable=False,
        server_default=text("'api_key'"),
        comment="which fields it has, as its provider declares them",
    ),
    Column("sealed", LargeBinary, nullable=False, comment="the secret, sealed with a key of the vault"),
    Column("master_key", String(40), nullable=False, comment="id of the key that it is sealed with"),
    Column("hint", String(16), nullable=False, comment="the first and last characters, for people"),
    Column("weight", Integer, nullable=False, server_default=text("1")),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    Column("last_error", Text, nullable=True),
    Column("last_error_at", Float(53), nullable=True),
    Column("checked_at", Float(53), nullable=True, comment="when a real call with it last succeeded"),
    Column("created_at", Float(53), nullable=False),
    Column("updated_at", Float(53), nullable=False),
    Column("revision", BigInteger, nullable=False, index=True),
)

model_routes = Table(
    "model_routes",
    metadata,
    Column("name", String(200), primary_key=True, comment="as clients call it"),
    Column("targets", JSON, nullable=False, comment="as in [models.NAME]; [] leaves those of the config"),
    Column("policy", String(20), nullable=False),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    Column("created_at", Float(53), nullable=False),
    Column("updated_at", Float(53), nullable=False),
    Column("revision", BigInteger, nullable=False),
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("at", Float(53), nullable=False),
    Column("tenant", String(64), nullable=False, comment="'' for what concerns the whole gateway"),
    Column("actor_kind", String(20), nullable=False, comment="user, key, component, command or gateway"),
    Column("actor", String(200), nullable=False),
    Column("action", String(60), nullable=False, comment="object.verb, as key.revoke"),
    Column("object", String(500), nullable=False, comment="the id of what it was done to"),
    Column("before", JSON, nullable=True, comment="what was there, without secrets"),
    Column("after", JSON, nullable=True),
    Column("request_id", String(60), nullable=True),
    Column("address", String(64), nullable=True),
    Column("previous", LargeBinary(32), nullable=False, comment="the hash of the entry before"),
    Column("hash", LargeBinary(32), nullable=False),
    Index("audit_log_tenant", "tenant", "position"),
    comment="who did what; rows are only ever added",
)

admin_requests = Table(
    "admin_requests",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("key", String(200), primary_key=True, comment="the client's Idempotency-Key, with who sent it"),
    Column("fingerprint", LargeBinary(32), nullable=False, comment="of method, path and body"),
    Column("status", Integer, nullable=True, comment="null while it runs"),
    Column("answer", LargeBinary, nullable=True),
    Column("expires_at", Float(53), nullable=False, index=True),
    comment="creations that are not to be done twice",
)

kept_answers = Table(
    "kept_answers",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("id", String(64), primary_key=True, comment="SHA-256 of endpoint and Idempotency-Key"),
    Column("key", String(40), nullable=True, comment="the API key that asked first"),
    Column("fingerprint", LargeBinary(32), nullable=False, comment="of the request"),
    Column("worker", String(40), nullable=False, comment="who makes the answer"),
    Column("status", Integer, nullable=True, comment="null while it is made; 0 where it was too large"),
    Column("answer", LargeBinary, nullable=True, comment="MessagePack: headers, and the body in pieces"),
    Column("created_at", Float(53), nullable=False),
    Column("expires_at", Float(53), nullable=False, index=True),
    comment="what was answered to requests that are to be carried out once",
)
