"""Who the client is when there are reverse proxies in between: their word is taken only where the operator trusts them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Literal, TypeAlias

from starlette.types import Scope

ForwardedHeader: TypeAlias = Literal["x-forwarded-for", "forwarded"]

_FOR = re.compile(r'(?:^|;)\s*for\s*=\s*("(?:[^"\\]|\\.)*"|[^;"\s]+)\s*(?=;|$)', re.IGNORECASE)
_PARTS = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^,"])+')
_PORT = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<four>[0-9.]+))(?::\w+)?")


class TrustedProxies:
    """Replaces a request's peer by the client that trusted proxies tell of.

    The header is read from its end: each proxy adds whom it was asked by, so an entry is believed only when the one
    behind it, up to the connection itself, is a trusted proxy. What a client writes there by itself is never reached.
    """

    def __init__(self, networks: Iterable[str], header: ForwardedHeader) -> None:
        self._networks = tuple(ip_network(network) for network in networks)
        self._header = header.encode()
        self._split = _forwarded if header == "forwarded" else _x_forwarded_for

    def place(self, scope: Scope) -> None:
        """Put the client's address into `scope["client"]`; its port is not known."""
        peer = scope.get("client")
        if not peer or not self._trusts(peer[0]):
            return
        value = b",".join(value for name, value in scope["headers"] if name == self._header)
        client: str = peer[0]
        for entry in reversed(self._split(value.decode("latin-1"))):
            address = _address(entry)
            if address is None:  # `unknown`, or nonsense: nobody further away can be vouched for
                break
            client = address
            if not self._trusts(address):
                break
        scope["client"] = (client, 0)

    def _trusts(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        return any(parsed in network for network in self._networks)


def _x_forwarded_for(value: str) -> list[str]:
    return [entry.strip() for entry in value.split(",")] if value else []


def _forwarded(value: str) -> list[str]:
    """The `for` of each element (RFC 7239, section 4); empty where it has none."""
    entries: list[str] = []
    for part in _PARTS.findall(value):
        found = _FOR.search(part)
        entries.append(found[1].strip('"') if found else "")
    return entries


def _address(entry: str) -> str | None:
    """Read `192.0.2.7`, `192.0.2.7:80`, `2001:db8::1` or `[2001:db8::1]:80`."""
    try:
        return str(ip_address(entry))
    except ValueError:
        found = _PORT.fullmatch(entry)
    try:
        return str(ip_address(found["six"] or found["four"])) if found else None
    except ValueError:
        return None
