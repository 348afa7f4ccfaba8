"""Recognises access tokens: by a digest of those seen before, else by verifying them."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.errors import AuthenticationFailed, PermissionDenied, Unavailable
from gateway_jwt.accounts import Accounts
from gateway_jwt.claims import Unusable, principal_of, tenant_of
from gateway_jwt.fetch import FetchFailed
from gateway_jwt.places import Places
from gateway_jwt.token import Malformed, parse
from gateway_jwt.verify import NotGood

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.plugin import Context
    from gateway.protocols import Incoming
    from gateway.types import Principal
    from gateway_jwt.issuer import Issuer
    from gateway_jwt.token import Token

_BEARER: Final = b"bearer "
_KEY_HEADERS: Final = (b"x-api-key", b"api-key", b"x-goog-api-key")
"""Where the SDKs of Anthropic, Azure and Gemini put what they are given as a key."""
_JWS_DOTS: Final = 2
_JWE_DOTS: Final = 4
_MAX_CACHED: Final = 10_000


class _Entry(NamedTuple):
    principal: Principal
    until: float
    """Unix seconds at which the token expires."""
    issuer: str


class Tokens:
    """The authenticator. A token once verified is known by its whole SHA-256 digest until it expires.

    It is verified again when its issuer withdraws a key, and when tenants, roles, users or their identities change.
    """

    def __init__(self, name: str, context: Context) -> None:
        self._name = name
        self._rules = context.sessions.rules
        self._places = Places(context.database)
        self._accounts = Accounts(context)
        self._issuers: Mapping[str, Issuer] = {}
        self._cached: dict[bytes, _Entry] = {}
        self._changes = 0

    def serve(self, issuers: Mapping[str, Issuer]) -> None:
        """Accept tokens of these issuers, by the URL that names each."""
        self._issuers = issuers

    def forget(self) -> None:
        """Verify all tokens again, and look at their tenants and accounts again."""
        self._changes += 1
        self._cached = {}
        self._places.forget()
        self._accounts.forget()

    def forget_issuer(self, issuer: str) -> None:
        """Verify the tokens of an issuer again."""
        self._changes += 1
        self._cached = {digest: entry for digest, entry in self._cached.items() if entry.issuer != issuer}

    async def authenticate(self, incoming: Incoming) -> Principal | None:
        """The principal of an access token; None for what is no JWT.

        Raises `AuthenticationFailed` for one that is not good, `PermissionDenied` for a tenant that is not served, and
        `Unavailable` while the issuer of an unknown one does not answer.
        """
        headers = incoming.headers
        value = headers.get(b"authorization")
        if value is not None and value[:7].lower() == _BEARER:
            text = value[7:].strip()
        else:
            for name in _KEY_HEADERS:
                if (text := headers.get(name, b"")) != b"":
                    break
            else:
                return None
        dots = text.count(b".")
        if dots != _JWS_DOTS:
            if dots == _JWE_DOTS and text.startswith(b"ey"):
                raise _refusal("it is encrypted; send one that is only signed")
            return None
        digest = hashlib.sha256(text).digest()
        entry = self._cached.get(digest)
        if entry is not None and entry.until > time.time():
            return entry.principal
        return await self._verify(text, digest)

    async def _verify(self, text: bytes, digest: bytes) -> Principal:
        changes = self._changes
        try:
            token = parse(text)
            issuer = self._issuer_of(token)
            await issuer.verifier.access_token(token, text)
        except (Malformed, NotGood) as error:
            raise _refusal(str(error)) from None
        except FetchFailed:
            raise Unavailable(
                "The gateway cannot check this token now, because its issuer does not answer.",
                headers=[(b"retry-after", b"5")],
            ) from None
        principal = await self._principal(token, issuer)
        if changes == self._changes:
            self._keep(
                digest,
                _Entry(principal, token.claims["exp"] + int(issuer.config.leeway_seconds), issuer.name),
            )
        return principal

    def _issuer_of(self, token: Token) -> Issuer:
        named = token.claims.get("iss")
        issuer = self._issuers.get(named) if isinstance(named, str) else None
        if issuer is None:
            raise NotGood("its issuer is none that this gateway knows")
        return issuer

    async def _principal(self, token: Token, issuer: Issuer) -> Principal:
        config = issuer.config
        try:
            tenant = tenant_of(config, token.claims)
            place = await self._places.find(tenant)
            # The tenant that the config names is taken for granted; it may come to be with its first key.
            if place.state != "active" and not (place.state == "unknown" and tenant == config.tenant):
                raise Unusable(f"The tenant that it acts for is {place.state} here.")  # noqa: TRY301 - as those of the claims
            account = await self._account(token, issuer)
            return principal_of(
                issuer.name,
                config,
                token.claims,
                authenticator=self._name,
                tenant=tenant,
                account=account,
                custom=place.roles,
                operator=tenant == self._rules.operator_tenant,
            )
        except Unusable as error:
            raise PermissionDenied(f"The token is genuine, but cannot be used. {error}") from None

    async def _account(self, token: Token, issuer: Issuer) -> str | None:
        """The user whom the bearer is here, when they sign in with the same subject. Raises `Unusable`."""
        subject = token.claims.get("sub")
        if not isinstance(subject, str):
            return None
        account = await self._accounts.find(issuer.config.issuer, subject)
        if account is not None and not account.active:
            raise Unusable("The account of its bearer is disabled here.")
        return None if account is None else account.user

    def _keep(self, digest: bytes, entry: _Entry) -> None:
        if len(self._cached) >= _MAX_CACHED:
            now = time.time()
            self._cached = {key: one for key, one in self._cached.items() if one.until > now}
            while len(self._cached) >= _MAX_CACHED:
                del self._cached[next(iter(self._cached))]
        self._cached[digest] = entry


def _refusal(why: str) -> AuthenticationFailed:
    return AuthenticationFailed(
        f"The token is not accepted: {why}.",
        code="invalid_token",
        headers=[(b"www-authenticate", b'Bearer error="invalid_token"')],
    )
