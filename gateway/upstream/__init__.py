"""The HTTP client that providers send through: HTTP/1.1, pooled, bounded in time and memory."""

from __future__ import annotations

from gateway.upstream.client import Client
from gateway.upstream.errors import (
    AddressRefused,
    BodyTooLarge,
    ConnectFailed,
    ConnectionLost,
    ConnectTimeout,
    FirstByteTimeout,
    IdleTimeout,
    MalformedResponse,
    PoolTimeout,
    TotalTimeout,
    UpstreamError,
)
from gateway.upstream.guard import Guard
from gateway.upstream.limits import Limits, Timeouts
from gateway.upstream.proxies import Proxies, Proxy
from gateway.upstream.request import Prepared
from gateway.upstream.response import Response

__all__ = [
    "AddressRefused",
    "BodyTooLarge",
    "Client",
    "ConnectFailed",
    "ConnectTimeout",
    "ConnectionLost",
    "FirstByteTimeout",
    "Guard",
    "IdleTimeout",
    "Limits",
    "MalformedResponse",
    "PoolTimeout",
    "Prepared",
    "Proxies",
    "Proxy",
    "Response",
    "Timeouts",
    "TotalTimeout",
    "UpstreamError",
]
