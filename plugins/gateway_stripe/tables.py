"""The tables of `billing.stripe`. Credits are 10⁻⁹ credit, amounts the currency's smallest unit, times Unix seconds."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData()

customers = Table(
    "stripe_customers",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("id", String(100), nullable=False, unique=True, comment="cus_…"),
    Column("remainder", BigInteger, nullable=False, comment="charged, and less than a unit of the meter"),
    Column("created_at", Float(53), nullable=False),
)

orders = Table(
    "stripe_orders",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("user", String(200), nullable=True, comment="who gets the credits where accounts are of users"),
    Column("kind", String(8), nullable=False, comment="pack, plan, or period: one of a plan"),
    Column("item", String(100), nullable=False, comment="its name in the config"),
    Column("credits", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=True, comment="null for a plan: its price says"),
    Column("currency", String(3), nullable=True),
    Column("price", String(100), nullable=True, comment="of a plan: price_…"),
    Column("customer", String(100), nullable=False),
    Column("session", String(200), nullable=True, unique=True, comment="cs_…; a period has none"),
    Column("url", Text, nullable=True, comment="where to pay, while it is open"),
    Column("payment", String(100), nullable=True, unique=True, comment="pi_…, once it is paid"),
    Column("status", String(8), nullable=False, comment="open, paid, expired, failed or refused"),
    Column("problem", Text, nullable=True, comment="why it is refused"),
    Column("reversed", BigInteger, nullable=False, comment="credits taken back again"),
    Column("created_at", Float(53), nullable=False),
    Column("paid_at", Float(53), nullable=True),
    Index("stripe_orders_tenant", "tenant", "created_at"),
)

reversals = Table(
    "stripe_reversals",
    metadata,
    Column("id", String(100), primary_key=True, comment="of a refund or dispute"),
    Column("order", String(40), nullable=False, index=True),
    Column("tenant", String(64), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("credits", BigInteger, nullable=False, comment="taken, or once it is returned: given back"),
    Column(
        "status",
        String(8),
        nullable=False,
        comment="taken; returned: it failed or was won; void: never took effect",
    ),
    Column("created_at", Float(53), nullable=False),
)

subscriptions = Table(
    "stripe_subscriptions",
    metadata,
    Column("id", String(100), primary_key=True, comment="sub_…"),
    Column("tenant", String(64), nullable=False, index=True),
    Column("customer", String(100), nullable=False),
    Column("plan", String(100), nullable=True, comment="its name in the config; null for none of them"),
    Column("status", String(30), nullable=False, comment="Stripe's word"),
    Column("seats", Integer, nullable=False, server_default=text("1")),
    Column("period_start", Float(53), nullable=True),
    Column("period_end", Float(53), nullable=True),
    Column("ends", Boolean, nullable=False, comment="whether it is cancelled at the end of the period"),
    Column("seen_at", Float(53), nullable=False, comment="when Stripe was asked for this"),
)

events = Table(
    "stripe_events",
    metadata,
    Column("id", String(100), primary_key=True, comment="evt_…"),
    Column("type", String(100), nullable=False),
    Column("object", String(200), nullable=False),
    Column("outcome", String(8), nullable=False, comment="done, ignored or refused"),
    Column("problem", Text, nullable=True),
    Column("handled_at", Float(53), nullable=False, index=True),
    comment="webhook events that need no second look",
)

meter_events = Table(
    "stripe_meter_events",
    metadata,
    Column("id", String(40), primary_key=True, comment="the identifier by which Stripe knows it"),
    Column("tenant", String(64), nullable=False),
    Column("customer", String(100), nullable=False),
    Column("units", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False, comment="when the usage was"),
    Column(
        "status",
        String(8),
        nullable=False,
        comment="pending, sent, refused, late: beyond Stripe's window, or unsure: may have arrived",
    ),
    Column("problem", Text, nullable=True),
    Column("tried_at", Float(53), nullable=True, comment="for the first time"),
    Index("stripe_meter_events_status", "status"),
)

metered_calls = Table(
    "stripe_metered_calls",
    metadata,
    Column("call", String(40), primary_key=True),
    Column("at", Float(53), nullable=False, index=True),
    comment="calls that are in a meter event or a remainder; kept as long as usage can be reported",
)
