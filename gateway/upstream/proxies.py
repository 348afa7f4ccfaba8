"""Which proxy a request goes through, told by the environment as curl and others read it."""

from __future__ import annotations

import ipaddress
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import TypeAlias
from urllib.parse import quote, unquote_to_bytes, urlsplit

from gateway.upstream.origin import Origin, bracketed

_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


class Proxy:
    """An HTTP proxy, spoken to in plain HTTP/1.1."""

    __slots__ = ("authorization", "host", "port")

    def __init__(self, host: str, port: int, authorization: bytes | None = None) -> None:
        self.host = host
        self.port = port
        self.authorization = authorization
        """The value of `proxy-authorization`; a secret."""

    @classmethod
    def from_url(cls, url: str, source: str) -> Proxy:
        """Read `[http://][user:password@]host[:port]`; raise ValueError naming `source` for anything else."""
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            host, port = parts.hostname, parts.port
        except ValueError:
            raise ValueError(f"{source}: write it as http://host:port") from None  # theirs repeats the URL
        if parts.scheme != "http":
            raise ValueError(f"{source}: only http:// proxies are supported, this one is {parts.scheme}://")
        if not host:
            raise ValueError(f"{source}: write it as http://host:port")
        authorization = None
        if parts.username is not None:
            secret = unquote_to_bytes(parts.username) + b":" + unquote_to_bytes(parts.password or "")
            authorization = b"Basic " + b64encode(secret)
        return cls(host, port or 80, authorization)

    @property
    def url(self) -> str:
        """As others want to be told; a secret where there is a password."""
        if self.authorization is None:
            return f"http://{self}"
        user, _, password = b64decode(self.authorization.removeprefix(b"Basic ")).partition(b":")
        return f"http://{quote(user, safe='')}:{quote(password, safe='')}@{self}"

    def __str__(self) -> str:
        return f"{bracketed(self.host)}:{self.port}"


class Proxies:
    """The proxies for http and https, and the hosts that are reached without."""

    def __init__(self, *, http: Proxy | None = None, https: Proxy | None = None, no_proxy: str = "") -> None:
        self._http = http
        self._https = https
        self._direct = [_Rule(entry) for entry in no_proxy.replace(",", " ").split()]

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> Proxies:
        """Read HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY; lower-case names win over upper-case ones.

        HTTP_PROXY in capitals is ignored where REQUEST_METHOD is set: under CGI a client's `Proxy` header sets it.
        Raises ValueError naming the variable, when one that is needed holds no http:// proxy.
        """

        def read(*names: str) -> Proxy | None:
            for name in names:
                if env.get(name) and not (name == "HTTP_PROXY" and "REQUEST_METHOD" in env):
                    return Proxy.from_url(env[name], name)
            return None

        return cls(
            http=read("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"),
            https=read("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
            no_proxy=env.get("no_proxy") or env.get("NO_PROXY", ""),
        )

    def find(self, origin: Origin) -> Proxy | None:
        """Return the proxy for this origin; None when it is reached directly."""
        if any(rule.matches(origin) for rule in self._direct):
            return None
        return self._https if origin.tls else self._http


class _Rule:
    """An entry of NO_PROXY: `*`, a domain (with everything below it), an address or a network; perhaps a port."""

    def __init__(self, entry: str) -> None:
        self._network = _network(entry)
        self._port: int | None = None
        host = entry
        if self._network is None:
            name, colon, port = entry.rpartition(":")
            if colon and port.isdigit():
                host, self._port = name, int(port)
                self._network = _network(host)
        self._domain = host.lower().removeprefix("*.").strip(".")

    def matches(self, origin: Origin) -> bool:
        if self._port not in (None, origin.port):
            return False
        address = _network(origin.host)
        if self._network is not None:
            if address is None or address.version != self._network.version:
                return False
            return address.network_address in self._network
        return self._domain == "*" or f".{origin.host}".endswith(f".{self._domain}")


def _network(text: str) -> _Network | None:
    """Read an address or a CIDR block."""
    try:
        return ipaddress.ip_network(text.removeprefix("[").removesuffix("]"), strict=False)
    except ValueError:
        return None
