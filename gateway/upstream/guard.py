"""Which addresses requests may go to: a guard against server-side request forgery (OWASP SSRF, CWE-918).

Addresses are judged after the name is resolved, and exactly those are then connected to: no second look at the name
can give others, and no way of writing an address gets around it.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

from gateway.upstream.errors import AddressRefused

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

METADATA: Final[tuple[Network, ...]] = (
    ip_network("169.254.0.0/16"),  # nearly every cloud's, and those of containers
    ip_network("fd00:ec2::/32"),  # AWS
    ip_network("fd20:ce::254/128"),  # Google Cloud
    ip_network("100.100.100.200/32"),  # Alibaba Cloud
    ip_network("168.63.129.16/32"),  # Azure's, though it is a public address
    ip_network("192.0.0.192/32"),  # Oracle Cloud, formerly
)
"""Where machines get the credentials of their cloud."""

_GLOBAL_UNICAST: Final = ip_network("2000::/3")  # RFC 4291 §2.4
_NAT64: Final = ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
_IPV4_INSIDE: Final = (_NAT64, ip_network("64:ff9b:1::/48"), ip_network("::/96"), ip_network("::ffff:0:0/96"))
_NOT_PUBLIC: Final[tuple[Network, ...]] = tuple(
    ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
        *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
    )
)
"""IANA's special-purpose registries (RFC 6890), multicast, and the tunnels 6to4 and Teredo."""


class Guard:
    """Judges addresses.

    With `public_only` it admits public addresses alone: for URLs that users can set. Without, it refuses only the
    metadata services of clouds: for URLs of the operator's. `allow` holds networks and addresses admitted besides;
    a metadata service only where its very address is named.

    Raises ValueError for an entry of `allow` that is neither.
    """

    def __init__(self, allow: Iterable[str] = (), *, public_only: bool) -> None:
        self._allow = tuple(ip_network(entry) for entry in allow)
        self.public_only = public_only

    def check(self, where: str, addresses: Iterable[str]) -> None:
        """Raise `AddressRefused` unless requests may go to all these addresses of `where`.

        It does not repeat them: whoever set the URL learns nothing about the network that the gateway is in.
        """
        for text in addresses:
            if (kind := self._refused(ip_address(text))) is not None:
                raise AddressRefused(
                    f"{where} may not be connected to, because it has {kind}; "
                    "the operator can admit it with `allow` in [gateway.egress]"
                )

    def _refused(self, address: Address) -> str | None:
        inner = _inside(address)
        if any(_within(METADATA, each) for each in (address, inner) if each is not None):
            named = any(network.num_addresses == 1 and address in network for network in self._allow)
            return None if named else "the address of a cloud's metadata service, or a link-local one"
        if not self.public_only or _within(self._allow, address):
            return None
        return None if _is_public(address, inner) else "an address that is not public"


def _inside(address: Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for."""
    if isinstance(address, IPv4Address):
        return None
    if address.sixtofour is not None:
        return address.sixtofour
    return IPv4Address(int(address) & 0xFFFFFFFF) if _within(_IPV4_INSIDE, address) else None


def _is_public(address: Address, inner: IPv4Address | None) -> bool:
    if isinstance(address, IPv4Address):
        return not _within(_NOT_PUBLIC, address)
    if inner is not None and address in _NAT64:  # how networks without IPv4 reach it
        return not _within(_NOT_PUBLIC, inner)
    return address.scope_id is None and address in _GLOBAL_UNICAST and not _within(_NOT_PUBLIC, address)


def _within(networks: Iterable[Network], address: Address) -> bool:
    return any(address in network for network in networks)
