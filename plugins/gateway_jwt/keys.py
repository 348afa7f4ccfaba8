"""The public keys of one issuer: fetched when needed, kept while it is away, and never fetched in a flood."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any, Final, cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jwk
from joserfc.errors import JoseError
from joserfc.util import base64_to_int
from msgspec import Struct

from gateway_jwt.fetch import FetchFailed

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Coroutine

    from gateway_jwt.config import IssuerConfig
    from gateway_jwt.fetch import Fetcher

_MIN_RSA_BITS: Final = 2048
_MAX_KEYS: Final = 100
_WELL_KNOWN: Final = "/.well-known/openid-configuration"
_ABOUT: Final = ("kty", "kid", "use", "alg", "key_ops")
_PUBLIC: Final = {
    "RSA": (*_ABOUT, "n", "e"),
    "EC": (*_ABOUT, "crv", "x", "y"),
    "OKP": (*_ABOUT, "crv", "x"),
}
"""What is taken of a key: nothing private, should an issuer publish that, and nothing symmetric."""
_OKP: Final = {"EdDSA": {"Ed25519", "Ed448"}, "Ed25519": {"Ed25519"}}
_CURVES: Final = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}


class Metadata(Struct, frozen=True):
    """What the issuer says of itself (OpenID Connect Discovery 1.0 §3, RFC 8414 §2)."""

    jwks_uri: str
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class Keys:
    """The keys of one issuer, by id. `changed` is called when one that was there is gone, or is another one now."""

    def __init__(
        self, config: IssuerConfig, fetcher: Fetcher, *, changed: Callable[[], None], log: logging.Logger
    ) -> None:
        self._issuer = config.issuer
        self._refetch_seconds = config.refetch_seconds
        self._refresh_seconds = config.refresh_seconds
        self._fetcher = fetcher
        self._changed = changed
        self._log = log
        self._keys: dict[str | None, list[jwk.Key]] = {}
        self._metadata: Metadata | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._fetched_at = float("-inf")
        self._failing = False
        self._refresher: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to fetch the keys, now and again and again."""
        self._refresher = asyncio.create_task(self._refresh(), name=f"jwt: keys of {self._issuer}")

    async def stop(self) -> None:
        """End all fetching."""
        tasks = [task for task in (self._refresher, self._fetching) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._refresher = self._fetching = None
        self._fetched_at = float("-inf")

    async def find(self, key_id: str | None, algorithm: str) -> jwk.Key | None:
        """The key of that id for that algorithm; without an id the only one that fits. None when there is none.

        Raises `FetchFailed` when the issuer cannot be asked, so that nobody knows.
        """
        key = self._known(key_id, algorithm)
        if key is not None:
            return key
        await self._ask(self._fetch_keys if self._metadata else self._fetch_all)
        return self._known(key_id, algorithm)

    async def metadata(self) -> Metadata:
        """What the issuer says of itself. Raises `FetchFailed` when it has never answered."""
        if self._metadata is None:
            await self._ask(self._fetch_all)
        if self._metadata is None:
            raise FetchFailed(f"{self._issuer} has not answered yet")
        return self._metadata

    async def fetch(self) -> None:
        """Fetch everything now, whatever was fetched before. Raises `FetchFailed`."""
        await self._fetch_all()

    def _known(self, key_id: str | None, algorithm: str) -> jwk.Key | None:
        candidates = (
            self._keys.get(key_id, [])
            if key_id is not None
            else [k for ks in self._keys.values() for k in ks]
        )
        fitting = [key for key in candidates if _fits(key, algorithm)]
        return fitting[0] if len(fitting) == 1 else None

    async def _ask(self, fetch: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Fetch, unless that was done just now; all who ask at the same time share one request."""
        if self._fetching is None or self._fetching.done():
            if time.monotonic() - self._fetched_at < self._refetch_seconds:
                if self._failing:
                    raise FetchFailed(f"{self._issuer} did not answer a moment ago")
                return
            self._fetched_at = time.monotonic()
            self._fetching = asyncio.create_task(
                self._noted(fetch()), name=f"jwt: fetch keys of {self._issuer}"
            )
            self._fetching.add_done_callback(_note_error)
        await asyncio.shield(self._fetching)

    async def _refresh(self) -> None:
        while True:
            self._fetched_at = float("-inf")
            with contextlib.suppress(FetchFailed):  # it is logged, and the keys that are known stay
                await self._ask(self._fetch_all)
            await asyncio.sleep(self._refetch_seconds if self._failing else self._refresh_seconds)

    async def _fetch_all(self) -> None:
        document = await self._fetcher.get(self._issuer.rstrip("/") + _WELL_KNOWN)
        self._metadata = _metadata(document, self._issuer)
        await self._fetch_keys()

    async def _fetch_keys(self) -> None:
        assert self._metadata is not None
        self._take(await self._fetcher.get(self._metadata.jwks_uri))

    async def _noted(self, fetching: Coroutine[Any, Any, None]) -> None:
        """Say in the log when the issuer goes away, and when it is back."""
        try:
            await fetching
        except FetchFailed as error:
            if not self._failing:
                self._log.error(
                    "the keys of %s cannot be fetched; those known stay good: %s", self._issuer, error
                )
            self._failing = True
            raise
        if self._failing:
            self._failing = False
            self._log.warning("the keys of %s can be fetched again", self._issuer)

    def _take(self, document: dict[str, Any]) -> None:
        keys = _read(document)
        if not keys:
            raise FetchFailed(f"{self._issuer} publishes no key that could verify a token")
        before, self._keys = self._keys, keys
        if any(key not in keys.get(key_id, []) for key_id, old in before.items() for key in old):
            self._changed()


def _metadata(document: dict[str, Any], issuer: str) -> Metadata:
    """Read a discovery document. Its issuer must be the one that was asked, to the letter."""
    if document.get("issuer") != issuer:
        raise FetchFailed(
            f"the discovery document of {issuer} names another issuer: {str(document.get('issuer'))[:200]!r}"
        )

    def text(name: str) -> str | None:
        value = document.get(name)
        return value if isinstance(value, str) else None

    jwks_uri = text("jwks_uri")
    if jwks_uri is None:
        raise FetchFailed(f"the discovery document of {issuer} has no jwks_uri")
    methods = document.get("token_endpoint_auth_methods_supported")
    return Metadata(
        jwks_uri,
        text("authorization_endpoint"),
        text("token_endpoint"),
        tuple(cast("list[str]", methods)) if isinstance(methods, list) else ("client_secret_basic",),
        document.get("authorization_response_iss_parameter_supported") is True,
    )


def _read(document: dict[str, Any]) -> dict[str | None, list[jwk.Key]]:
    """The keys of a JWK set (RFC 7517 §5) that can verify; it ignores all others, as §5 asks."""
    entries = document.get("keys")
    found: dict[str | None, list[jwk.Key]] = {}
    if not isinstance(entries, list):
        return found
    for entry in cast("list[dict[str, Any]]", entries)[:_MAX_KEYS]:
        if type(entry) is not dict or entry.get("kty") not in _PUBLIC:
            continue
        public = {name: entry[name] for name in _PUBLIC[entry["kty"]] if name in entry}
        try:
            if entry["kty"] == "RSA" and base64_to_int(public["n"]).bit_length() < _MIN_RSA_BITS:
                continue
            key = jwk.import_key(cast("Any", public))
            key.check_use("sig")
            key.check_key_op("verify")
        except (JoseError, UnsupportedAlgorithm, ValueError, TypeError, KeyError, AttributeError):
            continue
        found.setdefault(key.kid, []).append(key)
    return found


def _fits(key: jwk.Key, algorithm: str) -> bool:
    """Whether a key is of the kind that an algorithm needs (RFC 7518 §3.1), and not meant for another one."""
    if key.alg is not None and key.alg != algorithm and {key.alg, algorithm} != {"EdDSA", "Ed25519"}:
        return False
    raw: object = key.raw_value
    if algorithm in _CURVES:
        return isinstance(raw, ec.EllipticCurvePublicKey) and raw.curve.name == _CURVES[algorithm]
    if algorithm in _OKP:
        return key.key_type == "OKP" and key.get("crv") in _OKP[algorithm]
    return isinstance(raw, rsa.RSAPublicKey)


def _note_error(fetching: asyncio.Task[None]) -> None:
    """Have it known that an error was seen, also when everybody who waited for it has gone."""
    if not fetching.cancelled():
        fetching.exception()
