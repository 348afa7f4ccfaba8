"""The header schemes of AIGNE's blocklets and of its remote apps. They prove less than RFC 9421: see the README."""

from __future__ import annotations

import binascii
import hashlib
import math
import re
import time
from collections.abc import Mapping
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import parse_qsl

import msgspec
from nacl.exceptions import BadSignatureError

from gateway.errors import AuthenticationFailed
from gateway_component.nonces import named
from gateway_component.user import for_user

if TYPE_CHECKING:
    from gateway.protocols import Incoming
    from gateway.types import Principal
    from gateway_component.nonces import Nonces
    from gateway_component.registry import Components, Entry

_FAMILIES: Final = (b"x-component-", b"x-blocklet-")
_SIGNATURE: Final = re.compile(rb"(?:0x)?([0-9a-fA-F]{128})")
_DIGITS: Final = re.compile(rb"[0-9]{1,12}")
_SKEW: Final = 30
_MOST_APPS: Final = 16
_EXACT: Final = 2**53


class AigneVerifier:
    """Verifies both schemes. A signature is taken once: the schemes have no nonce, so it is its own."""

    def __init__(self, components: Components, nonces: Nonces, *, max_seconds: float) -> None:
        self._components = components
        self._nonces = nonces
        self._max_seconds = max_seconds

    async def authenticate(self, incoming: Incoming) -> Principal | None:
        """The principal of the app; None without such headers. Raises `AuthenticationFailed`."""
        headers = incoming.headers
        if b"x-app-id" in headers and b"x-component-sig" in headers:
            return await self._remote(incoming)
        for family in _FAMILIES:
            if family + b"sig" in headers and family + b"sig-exp" in headers:
                return await self._same_app(incoming, family)
        return None

    async def _remote(self, incoming: Incoming) -> Principal:
        """`x-app-id`, `x-timestamp`, `x-component-sig`, `x-app-user-did`; method, path and query are not covered."""
        headers = incoming.headers
        app_id = headers[b"x-app-id"].decode("latin-1")
        at = self._moment(headers.get(b"x-timestamp"), "x-timestamp")
        entry = self._components.find("aigne-remote", app_id)
        if entry is None:
            raise _refused("the app is not registered")
        user = headers.get(b"x-app-user-did", b"")
        signed: dict[str, Any] = {"appId": app_id, "timestamp": at, "data": _json(await incoming.body())}
        if user:
            signed["userDid"] = user.decode("latin-1")
        signature = _signature(headers[b"x-component-sig"])
        if not _fits(entry, signature, signed):
            raise _refused("it does not fit this body and this app")
        await self._spend(signature, at)
        return for_user(entry.principal, user)

    async def _same_app(self, incoming: Incoming, family: bytes) -> Principal:
        """`…sig`, `…sig-iat`, `…sig-exp`: made with the app's key, by any of its components."""
        headers = incoming.headers
        issued = self._moment(headers.get(family + b"sig-iat"), "sig-iat")
        expires = _number(headers.get(family + b"sig-exp"), "sig-exp")
        if expires < time.time():
            raise _refused("it has expired: is the clock right?")
        path, _, query = incoming.target.decode("latin-1").partition("?")
        signed: dict[str, Any] = {
            "iat": issued,
            "exp": expires,
            "body": _json(await incoming.body()),
            "query": _query(query),
            "method": incoming.method.lower(),
            "url": path,
        }
        signature = _signature(headers[family + b"sig"])
        for entry in self._components.of_scheme("aigne-app")[:_MOST_APPS]:
            if _fits(entry, signature, signed):
                await self._spend(signature, issued)
                return entry.principal
        raise _refused("it does not fit this request and any registered app")

    async def _spend(self, signature: bytes, made: int) -> None:
        await self._nonces.spend(
            named(b"aigne\n" + signature, made), until=time.time() + self._max_seconds + _SKEW
        )

    def _moment(self, value: bytes | None, name: str) -> int:
        at = _number(value, name)
        if not -_SKEW <= time.time() - at <= self._max_seconds:
            raise _refused(f"{name} is not of now: is the clock right?")
        return at


def stable_json(value: Any) -> str:
    """Write JSON as `json-stable-stringify` does: sorted keys, no spaces, numbers as JavaScript writes them."""
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, Any]", value)
        in_order = sorted(fields, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return (
            "{"
            + ",".join(f"{encode_basestring(name)}:{stable_json(fields[name])}" for name in in_order)
            + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(stable_json(item) for item in cast("list[Any]", value)) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return _javascript_number(value)


def _javascript_number(value: float) -> str:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        return "null"
    if number.is_integer() and abs(number) < 1e21:  # noqa: PLR2004 - from there on JavaScript writes exponents
        return str(int(number)) if abs(number) < _EXACT else _long_integer(number)
    text = repr(number)
    mantissa, mark, exponent = text.partition("e")
    if not mark:
        return text
    if -6 <= int(exponent) < 0:  # noqa: PLR2004 - Python writes exponents below 1e-4, JavaScript below 1e-6
        return f"{number:.{len(mantissa.replace('.', '').lstrip('-')) - 1 - int(exponent)}f}"
    return f"{mantissa.removesuffix('.0')}e{int(exponent):+d}"


def _long_integer(number: float) -> str:
    """The shortest digits that give the number, filled up with zeros."""
    mantissa, _, exponent = f"{number!r}".partition("e")
    if not exponent:
        return mantissa.removesuffix(".0")
    whole, _, rest = mantissa.partition(".")
    rest = rest.rstrip("0")
    return whole + rest + "0" * (int(exponent) - len(rest))


def _fits(entry: Entry, signature: bytes, signed: Mapping[str, Any]) -> bool:
    digest = hashlib.sha3_256(stable_json(signed).encode("utf-8", "surrogatepass")).digest()
    try:
        entry.key.verify(digest, signature)
    except BadSignatureError:
        return False
    return True


def _signature(value: bytes) -> bytes:
    found = _SIGNATURE.fullmatch(value)
    if found is None:
        raise _refused("it must be 64 bytes in hexadecimal")
    return binascii.unhexlify(found[1])


def _json(body: bytes) -> Any:
    if not body:
        return {}
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refused("only JSON bodies can be signed this way") from error


def _query(query: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if "[" in name:
            raise _refused("a query with brackets cannot be signed this way")
        if name in found:
            before: Any = found[name]
            found[name] = [*(before if isinstance(before, list) else [before]), value]
        else:
            found[name] = value
    return found


def _number(value: bytes | None, name: str) -> int:
    if value is None or not _DIGITS.fullmatch(value):
        raise _refused(f"{name} must be a time in Unix seconds")
    return int(value)


def _refused(why: str) -> AuthenticationFailed:
    return AuthenticationFailed(f"The signature of this request is refused: {why}.", code="invalid_signature")
