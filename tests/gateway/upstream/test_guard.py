"""Where requests may go, however the address is written and whatever a name resolves to."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.upstream import AddressRefused, Client, ConnectFailed, Guard, Proxies

from .server import Peer, closing, echo, serve

Found = list[tuple[int, int, int, str, tuple[str, int]]]

PUBLIC = Guard(public_only=True)
OPERATOR = Guard(public_only=False)

INTERNAL = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "172.31.255.255",
    "192.168.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
]
METADATA = [
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "fd00:ec2::254",
    "fd20:ce::254",
]


def wrapped(address: str) -> list[str]:
    """An IPv4 address in every form that an IPv6 one can carry it."""
    number = int(ipaddress.IPv4Address(address))
    high, low = f"{number >> 16:x}", f"{number & 0xFFFF:x}"
    return [
        f"::ffff:{address}",
        f"::{address}",
        f"64:ff9b::{address}",
        f"64:ff9b:1::{address}",
        f"2002:{high}:{low}::1",
    ]


def refuses(guard: Guard, *addresses: str) -> bool:
    try:
        guard.check("host.example:443", addresses)
    except AddressRefused:
        return True
    return False


@pytest.mark.parametrize("address", [*INTERNAL, *METADATA])
def test_what_is_not_public_is_refused_in_every_form(address: str) -> None:
    assert refuses(PUBLIC, address)
    if ":" not in address:
        assert [form for form in wrapped(address) if not refuses(PUBLIC, form)] == []


@pytest.mark.parametrize(
    "address",
    [
        "::",
        "::1",
        "::1%lo",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "2001::1",
        "3fff::1",
        "2606:4700::1111%eth0",
        "100::1",
        "4000::1",
    ],
)
def test_ipv6_that_is_not_public_is_refused(address: str) -> None:
    assert refuses(PUBLIC, address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "64:ff9b::8.8.8.8"])
def test_what_is_public_is_admitted(address: str) -> None:
    assert not refuses(PUBLIC, address)


def test_one_address_of_many_is_enough_to_refuse() -> None:
    assert refuses(PUBLIC, "93.184.216.34", "127.0.0.1")


@given(st.ip_addresses(v=4))
def test_no_wrapping_admits_more(address: ipaddress.IPv4Address) -> None:
    if refuses(PUBLIC, str(address)):
        assert all(refuses(PUBLIC, form) for form in wrapped(str(address)))
    if refuses(OPERATOR, str(address)):
        assert all(refuses(OPERATOR, form) for form in wrapped(str(address)))


@given(st.ip_addresses())
def test_it_admits_nothing_that_python_calls_private(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if address.is_private or address.is_multicast or address.is_reserved or address.is_loopback:
        nat64 = address in ipaddress.ip_network("64:ff9b::/96")
        assert nat64 or refuses(PUBLIC, str(address))


@pytest.mark.parametrize("address", METADATA)
def test_the_operator_s_urls_go_everywhere_but_to_metadata(address: str) -> None:
    assert refuses(OPERATOR, address)
    assert not refuses(OPERATOR, *INTERNAL, "::1", "fc00::1", "8.8.8.8")
    assert not refuses(Guard([address], public_only=False), address)


def test_a_network_admits_what_is_in_it_but_no_metadata_service() -> None:
    guard = Guard(["10.0.0.0/8", "0.0.0.0/0", "fd00::/8"], public_only=True)
    assert not refuses(guard, "10.1.2.3", "192.168.0.1", "fd00::1")
    assert refuses(guard, "169.254.169.254")
    assert refuses(guard, "fd00:ec2::254")
    assert refuses(guard, "::1")
    assert not refuses(Guard(["169.254.169.254"], public_only=True), "169.254.169.254")


@pytest.mark.parametrize("entry", ["10.0.0.1/8", "intranet", "", "10.0.0.0/33"])
def test_an_entry_that_is_no_network(entry: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Guard([entry], public_only=True)


async def ask(client: Client, url: str) -> bytes:
    return await (await client.send(client.prepare("GET", url))).read()


@pytest.mark.parametrize(  # decimal, octal, hexadecimal and shortened; other scripts' digits and dots; zones
    "host",
    [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "0",
        "localhost",
        "LOCALHOST",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::]",
        "[fe80::1%25lo]",
        "127。0。0。1",
        "①②⑦.⓪.⓪.①",
        "127.0.0.1.",
    ],
)
async def test_no_way_of_writing_an_address_reaches_it(host: str) -> None:
    async with serve(echo) as server, closing(Client(guard=PUBLIC)) as client:
        with pytest.raises(ConnectFailed) as caught:
            await ask(client, server.url(host=host))
        assert server.accepted == 0
        if host != "127.0.0.1.":  # some resolvers know no such name
            assert isinstance(caught.value, AddressRefused)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://a.example/",
        "ftp://a.example/",
        "//a.example/",
        "http:/a.example",
        "http://",
        "http://user@a.example/",
        "http://a.example\\@127.0.0.1/",
        "http://user:word@127.0.0.1/",
    ],
)
def test_urls_that_are_not_plain_http(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Client(guard=PUBLIC).prepare("GET", url)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Answers each look at a name with the next of some addresses; returns the names that were looked at."""

    def answer(*answers: str) -> list[str]:
        asked: list[str] = []

        async def lookup(host: str, port: int) -> Found:
            asked.append(host)
            address = answers[min(len(asked), len(answers)) - 1]
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

        monkeypatch.setattr("gateway.upstream.dial.lookup", lookup)
        return asked

    return answer


async def test_a_name_is_looked_at_once_and_its_answer_used(resolver: Callable[..., list[str]]) -> None:
    guard = Guard(["127.0.0.1"], public_only=True)
    asked = resolver("127.0.0.1", "127.0.0.2")
    async with serve(echo) as server, closing(Client(guard=guard)) as client:
        await ask(client, server.url(host="rebinds.example"))
        assert asked == ["rebinds.example"]
        client._pools.clear()
        with pytest.raises(AddressRefused):  # the second answer of the name is judged anew
            await ask(client, server.url(host="rebinds.example"))


async def test_a_refusal_names_the_host_and_not_its_address(resolver: Callable[..., list[str]]) -> None:
    resolver("10.11.12.13")
    async with closing(Client(guard=PUBLIC)) as client:
        with pytest.raises(AddressRefused) as caught:
            await ask(client, "https://intranet.example/secret?key=value")
    assert "intranet.example:443" in caught.value.message
    assert "[gateway.egress]" in caught.value.message
    assert not {"10.11", "secret", "value"} & set(caught.value.message.replace("/", " ").split())
    assert "10.11.12.13" not in caught.value.message
    assert not caught.value.sent


async def test_a_redirect_is_not_followed() -> None:
    async def elsewhere(peer: Peer) -> None:
        await peer.request()
        await peer.send(
            b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n"
        )

    async with (
        serve(elsewhere) as server,
        closing(Client(guard=Guard(["127.0.0.1"], public_only=True))) as client,
    ):
        response = await client.send(client.prepare("GET", server.url()))
        assert response.status == 302


async def test_what_is_meant_for_metadata_passes_and_shares_no_connection() -> None:
    client = Client()
    url = "http://169.254.169.254/latest/api/token"
    meant, other = client.prepare("PUT", url, metadata=True), client.prepare("GET", url)
    assert meant.pool is not other.pool
    with pytest.raises(AddressRefused):
        await client.send(other)
    with pytest.raises(AddressRefused):
        await client.way_to(url)
    await client.close()


async def test_a_proxy_is_told_the_address_that_was_judged(resolver: Callable[..., list[str]]) -> None:
    asked = resolver("93.184.216.34")

    async def proxy(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 403 No\r\n\r\n")

    async with serve(proxy) as server:
        proxies = Proxies.from_environment({"all_proxy": server.url()})
        async with closing(Client(guard=PUBLIC, proxies=proxies)) as client:
            with pytest.raises(ConnectFailed, match="refused a tunnel"):
                await ask(client, "https://pinned.example/")
            assert server.requests[0].startswith(b"CONNECT 93.184.216.34:443 ")
            assert "pinned.example" in asked
            with pytest.raises(AddressRefused, match="only https://"):
                await ask(client, "http://pinned.example/")
            asked_before = len(server.requests)
            resolver("10.0.0.1")
            with pytest.raises(AddressRefused):
                await ask(client, "https://private.example/")
            assert len(server.requests) == asked_before


async def test_a_proxy_gets_no_address_of_metadata_for_the_operator_either() -> None:
    proxies = Proxies.from_environment({"all_proxy": "http://127.0.0.1:9"})
    async with closing(Client(proxies=proxies)) as client:
        with pytest.raises(AddressRefused):
            await ask(client, "http://[::ffff:169.254.169.254]/")
