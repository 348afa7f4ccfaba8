"""From where a key may come."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address, ip_network

_MOST = 256
"""Addresses that are remembered, for each key."""


class Networks:
    """An allow-list of networks and single addresses."""

    __slots__ = ("_admitted", "_networks")

    def __init__(self, entries: Iterable[str]) -> None:
        self._networks = tuple(ip_network(entry) for entry in entries)
        self._admitted: set[str] = set()

    def admit(self, client: str | None) -> bool:
        """Whether an address is in one of them; one that is not known never is."""
        if client in self._admitted:
            return True
        if client is None or not self._contain(client):
            return False
        if len(self._admitted) >= _MOST:
            self._admitted.clear()
        self._admitted.add(client)
        return True

    def _contain(self, client: str) -> bool:
        try:
            address = ip_address(client)
        except ValueError:
            return False
        # As dual-stack sockets say it.
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)
