"""The message of Sign-In with Ethereum, read strictly by its grammar: https://eips.ethereum.org/EIPS/eip-4361."""

from __future__ import annotations

import ipaddress
import re
from datetime import datetime
from typing import Final

from msgspec import Struct

from gateway_wallet.ethereum import checksummed

LONGEST: Final = 4000
"""Characters of a message that are read at most."""

_UNRESERVED: Final = r"A-Za-z0-9\-._~"
_SUB_DELIMS: Final = r"!$&'()*+,;="
_PCHAR: Final = rf"(?:[{_UNRESERVED}{_SUB_DELIMS}:@]|%[0-9A-Fa-f]{{2}})"
_AUTHORITY: Final = (
    rf"(?:(?:[{_UNRESERVED}{_SUB_DELIMS}:]|%[0-9A-Fa-f]{{2}})*@)?"
    rf"(?:\[(?P<ip>[^\]\n]*)\]|(?:[{_UNRESERVED}{_SUB_DELIMS}]|%[0-9A-Fa-f]{{2}})*)"
    r"(?::[0-9]*)?"
)
"""RFC 3986 §3.2; what stands in brackets is checked by itself."""

_URI: Final = re.compile(
    rf"[A-Za-z][A-Za-z0-9+.\-]*:(?://{_AUTHORITY}(?:/{_PCHAR}*)*|/(?:{_PCHAR}+(?:/{_PCHAR}*)*)?"
    rf"|{_PCHAR}+(?:/{_PCHAR}*)*|)(?:\?(?:{_PCHAR}|[/?])*)?(?:#(?:{_PCHAR}|[/?])*)?"
)
_DATE_TIME: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+\-]\d{2}:\d{2})", re.ASCII
)
_MESSAGE: Final = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*)://)?"
    rf"(?P<domain>{_AUTHORITY}) wants you to sign in with your Ethereum account:\n"
    r"(?P<address>0x[0-9A-Fa-f]{40})\n"
    r"\n"
    rf"(?:(?P<statement>[{_UNRESERVED}{_SUB_DELIMS}:/?#\[\]@ ]+)\n)?"
    r"\n"
    r"URI: (?P<uri>[^\n]+)\n"
    r"Version: 1\n"
    r"Chain ID: (?P<chain>[0-9]{1,20})\n"
    r"Nonce: (?P<nonce>[A-Za-z0-9]{8,})\n"
    r"Issued At: (?P<issued_at>[^\n]+)"
    r"(?:\nExpiration Time: (?P<expiration_time>[^\n]+))?"
    r"(?:\nNot Before: (?P<not_before>[^\n]+))?"
    rf"(?:\nRequest ID: (?P<request_id>{_PCHAR}*))?"
    r"(?P<resources>\nResources:(?:\n- [^\n]+)*)?",
    re.ASCII,
)


class SiweMessage(Struct, frozen=True, kw_only=True):
    """What somebody has signed. Times have an offset."""

    scheme: str | None
    domain: str
    address: str
    """As EIP-55 writes it."""
    statement: str | None
    uri: str
    chain: int
    nonce: str
    issued_at: datetime
    expiration_time: datetime | None
    not_before: datetime | None
    request_id: str | None
    resources: tuple[str, ...]


def parse(message: str) -> SiweMessage:
    """Read a message. Raises ValueError, which says what is wrong, for whatever the grammar does not admit."""
    if len(message) > LONGEST:
        raise ValueError(f"longer than {LONGEST} characters")
    match = _MESSAGE.fullmatch(message)
    if match is None:
        raise ValueError(
            "not a message of EIP-4361: fields are missing, out of order, or hold what they may not"
        )
    if not match["domain"]:
        raise ValueError("the domain is missing")
    _check_address_literal(match["ip"])
    if checksummed(match["address"]) != match["address"]:
        raise ValueError("the address is not written as EIP-55 does")
    resources = tuple(line.removeprefix("- ") for line in (match["resources"] or "").split("\n")[2:])
    return SiweMessage(
        scheme=match["scheme"],
        domain=match["domain"],
        address=match["address"],
        statement=match["statement"],
        uri=_uri(match["uri"], "URI"),
        chain=int(match["chain"]),
        nonce=match["nonce"],
        issued_at=_time(match["issued_at"], "Issued At"),
        expiration_time=_optional_time(match["expiration_time"], "Expiration Time"),
        not_before=_optional_time(match["not_before"], "Not Before"),
        request_id=match["request_id"],
        resources=tuple(_uri(resource, "Resources") for resource in resources),
    )


def _uri(text: str, field: str) -> str:
    match = _URI.fullmatch(text)
    if match is None:
        raise ValueError(f"{field} is no URI of RFC 3986")
    _check_address_literal(match["ip"])
    return text


def _check_address_literal(text: str | None) -> None:
    if text is None or re.fullmatch(rf"[vV][0-9A-Fa-f]+\.[{_UNRESERVED}{_SUB_DELIMS}:]+", text):
        return
    if "%" in text:
        raise ValueError("an IPv6 address has no zone here")
    ipaddress.IPv6Address(text)


def _optional_time(text: str | None, field: str) -> datetime | None:
    return None if text is None else _time(text, field)


def _time(text: str, field: str) -> datetime:
    if not _DATE_TIME.fullmatch(text):
        raise ValueError(f"{field} is no time of RFC 3339")
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        raise ValueError(f"{field} is a time that does not exist") from None
