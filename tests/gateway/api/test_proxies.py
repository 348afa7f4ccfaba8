"""Who the client is behind proxies."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.proxies import ForwardedHeader, TrustedProxies

TRUSTED = ("10.0.0.0/8", "2001:db8::/32")


def client(
    peer: tuple[str, int] | None, *values: str, header: ForwardedHeader = "x-forwarded-for"
) -> tuple[str, int] | None:
    scope: dict[str, Any] = {
        "type": "http",
        "client": peer,
        "headers": [(header.encode(), value.encode("latin-1")) for value in values],
    }
    TrustedProxies(TRUSTED, header).place(scope)
    return scope["client"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((), "10.0.0.1"),
        (("",), "10.0.0.1"),
        (("192.0.2.7",), "192.0.2.7"),
        (("192.0.2.7:4711",), "192.0.2.7"),
        (("[2001:db8:1::7]:4711",), "2001:db8:1::7"),
        (("2a00::7",), "2a00::7"),
        (("1.1.1.1, 192.0.2.7",), "192.0.2.7"),
        (("1.1.1.1", "192.0.2.7"), "192.0.2.7"),
        (("192.0.2.7, 10.9.9.9, ::ffff:10.8.8.8",), "192.0.2.7"),
        (("10.9.9.9",), "10.9.9.9"),
        (("192.0.2.7, nonsense",), "10.0.0.1"),
        (("192.0.2.7, nonsense, 10.9.9.9",), "10.9.9.9"),
        (("192.0.2.7,",), "10.0.0.1"),
        (("192.0.2.7\xff",), "10.0.0.1"),
    ],
)
def test_x_forwarded_for_is_read_from_its_end(values: tuple[str, ...], expected: str) -> None:
    found = client(("10.0.0.1", 5), *values)
    assert found is not None
    assert found[0] == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("for=192.0.2.7", "192.0.2.7"),
        ("For=192.0.2.7;proto=https;by=10.0.0.1", "192.0.2.7"),
        ('proto=https; for="[2a00::7]:4711"', "2a00::7"),
        ("for=1.1.1.1, for=192.0.2.7", "192.0.2.7"),
        ("for=192.0.2.7, for=10.9.9.9;host=a", "192.0.2.7"),
        ('for=192.0.2.7, for="a, for=1.1.1.1"', "10.0.0.1"),
        ("for=192.0.2.7, by=10.0.0.1", "10.0.0.1"),
        ("for=unknown", "10.0.0.1"),
        ("for=_hidden", "10.0.0.1"),
        ("xfor=192.0.2.7", "10.0.0.1"),
    ],
)
def test_forwarded_is_read_from_its_end(value: str, expected: str) -> None:
    found = client(("10.0.0.1", 5), value, header="forwarded")
    assert found is not None
    assert found[0] == expected


@given(st.text(st.characters(codec="latin-1"), max_size=60))
def test_nobody_else_is_believed(value: str) -> None:
    for header in ("x-forwarded-for", "forwarded"):
        assert client(("192.0.2.1", 5), value, header=header) == ("192.0.2.1", 5)
        assert client(None, value, header=header) is None


@given(st.text(st.characters(codec="latin-1"), max_size=60), st.ip_addresses())
def test_what_a_client_writes_is_never_reached(value: str, address: object) -> None:
    if str(address).startswith(("10.", "2001:db8:", "2001:db8::", "::ffff:")):
        return
    found = client(("10.0.0.1", 5), f"{value}, {address}")
    assert found is not None
    assert found[0] == str(address)
