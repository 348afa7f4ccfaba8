"""How long to wait, and how much to hold."""

from __future__ import annotations

from msgspec import Struct


class Timeouts(Struct, frozen=True, kw_only=True):
    """Seconds. They are enforced in steps of a tenth of a second."""

    connect: float = 5.0
    """Waiting for a free connection, DNS, TCP, proxy and TLS together."""
    first_byte: float = 300.0
    """From the start of writing the request to the end of the response head."""
    idle: float = 120.0
    """Between two packets of the body; the time in which the consumer is the slow one does not count."""
    total: float = 900.0
    """From the start of writing the request to the end of the body."""


class Limits(Struct, frozen=True, kw_only=True):
    """Connections are counted per origin."""

    max_connections: int = 1000
    max_idle: int = 256
    idle_expiry: float = 30.0
    """Seconds after which an unused connection is closed."""
    max_head_bytes: int = 65_536
    """Also bounds interim answers, trailers and other framing that brings no content."""
    max_body_bytes: int = 64 * 2**20
    """For bodies read whole; iterated ones are bounded by `read_ahead_bytes`."""
    read_ahead_bytes: int = 256 * 2**10
    """Above it the socket is not read until the consumer has caught up."""
