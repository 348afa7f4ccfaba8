"""Verifies what one issuer has signed: access tokens for calls, ID tokens at sign-in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from joserfc import jws
from joserfc.errors import (
    ExpiredTokenError,
    InvalidClaimError,
    JoseError,
    MissingClaimError,
    UnsupportedAlgorithmError,
)
from joserfc.jwt import JWTClaimsRegistry

from gateway_jwt.claims import at, words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway_jwt.config import IssuerConfig
    from gateway_jwt.keys import Keys
    from gateway_jwt.token import Token

_ACCESS_TYPE: Final = "at+jwt"
_TYPES: Final = frozenset({None, "jwt", _ACCESS_TYPE})
"""Types in the header that a token for calls may have; `logout+jwt`, `dpop+jwt` and the like are something else."""
_ID_TYPES: Final = frozenset({None, "jwt"})
_MAX_SUBJECT: Final = 255
"""OpenID Connect Core 1.0 §2."""
_ONLY_IN_ID_TOKENS: Final = ("nonce", "at_hash", "c_hash", "s_hash")
_SAYS_WHICH: Final = {"token_use": {"access"}, "typ": {"Bearer"}}
"""Claims in which Cognito and Keycloak say what kind of token it is, and what an access token says there."""
_AUTHORISE: Final = ("scope", "scp", "client_id", "cid", "roles", "permissions", "entitlements")
"""Of these, an access token has at least one."""


class NotGood(Exception):
    """The token is not to be accepted. Says why, for the client."""


class _Registry(jws.JWSRegistry):
    """joserfc's, which warns of the name `EdDSA` (RFC 9864) that most issuers still use."""

    max_header_length = 8192

    def get_alg(self, name: str) -> Any:
        if name not in (self.allowed or ()):
            raise UnsupportedAlgorithmError
        return self.algorithms[name]


class Verifier:
    """Verifies the tokens of one issuer."""

    def __init__(self, config: IssuerConfig, keys: Keys) -> None:
        self._config = config
        self._keys = keys
        self._registry = _Registry(algorithms=list(config.algorithms), strict_check_header=False)

    async def access_token(self, token: Token, text: bytes) -> None:
        """Accept an access token for this gateway. Raises `NotGood`; `FetchFailed` when the issuer's keys are unknown."""
        config = self._config
        if token.type not in _TYPES:
            raise NotGood(f"it is of type {_shown(token.type)}, not an access token")
        if token.type != _ACCESS_TYPE:
            if config.token_type == _ACCESS_TYPE:
                raise NotGood(f"its header does not say that it is of type {_ACCESS_TYPE}")
            _refuse_id_token(token.claims, config.client_id, (config.claims.roles, config.claims.scopes))
        audience = at(token.claims, config.claims.audience)
        if not set(config.audience) & set(words(audience, split=False)):
            raise NotGood("it is not for this gateway: its audience is another")
        await self._signed(token, text)
        for path, wanted in config.required.items():
            if not _has(at(token.claims, path), wanted):
                raise NotGood(f"its claim {path} is not as required")

    async def id_token(self, token: Token, text: bytes, *, nonce: str) -> None:
        """Accept an ID token that was asked for with this nonce (OpenID Connect Core 1.0 §3.1.3.7).

        Raises `NotGood`; `FetchFailed` when the issuer's keys are unknown.
        """
        claims, client_id = token.claims, self._config.client_id
        if token.type not in _ID_TYPES:
            raise NotGood(f"it is of type {_shown(token.type)}, not an ID token")
        audience = words(claims.get("aud"), split=False)
        if client_id not in audience:
            raise NotGood("it is for another client")
        if claims.get("azp", client_id) != client_id or (len(audience) > 1 and "azp" not in claims):
            raise NotGood("it was issued to another client")
        if claims.get("nonce") != nonce:
            raise NotGood("its nonce is not the one of this sign-in")
        subject = claims.get("sub")
        if not isinstance(subject, str) or not 0 < len(subject) <= _MAX_SUBJECT or not subject.isprintable():
            raise NotGood("it does not say who signed in")
        await self._signed(token, text)

    async def _signed(self, token: Token, text: bytes) -> None:
        if token.algorithm not in self._config.algorithms:
            raise NotGood(f"its algorithm {_shown(token.algorithm)} is not allowed for this issuer")
        key = await self._keys.find(token.key_id, token.algorithm)
        if key is None:
            raise NotGood("its issuer has no such key")
        try:
            jws.deserialize_compact(text, key, registry=self._registry)
        except (JoseError, ValueError):
            raise NotGood("its signature is wrong") from None
        self._timely(token.claims)

    def _timely(self, claims: Mapping[str, Any]) -> None:
        registry = JWTClaimsRegistry(
            leeway=int(self._config.leeway_seconds),
            iss={"essential": True, "value": self._config.issuer},
            exp={"essential": True},
        )
        try:
            registry.validate(dict(claims))
        except ExpiredTokenError:
            raise NotGood("it has expired") from None
        except MissingClaimError as error:
            raise NotGood(f"it lacks the claim {error.description}") from None
        except InvalidClaimError as error:
            raise NotGood(error.description) from None
        except JoseError:
            raise NotGood("its claims are not valid") from None


def _refuse_id_token(claims: Mapping[str, Any], client_id: str | None, mapped: tuple[str, ...]) -> None:
    """An ID token tells a client who has signed in; whoever takes it for a credential lets every such client in."""
    for name, allowed in _SAYS_WHICH.items():
        if name in claims and claims[name] not in allowed:
            raise NotGood(f"its claim {name} says that it is no access token")
    said = [name for name in _ONLY_IN_ID_TOKENS if name in claims]
    if client_id is not None and client_id in words(claims.get("aud"), split=False):
        said.append("aud")
    if "azp" in claims and not any(at(claims, path) is not None for path in (*_AUTHORISE, *mapped)):
        said.append("azp")
    if said:
        raise NotGood(f"it is an ID token, to judge by {', '.join(said)}; send an access token")


def _has(value: Any, wanted: str | int | bool) -> bool:
    """Whether a claim is that value, or a list that holds it. True is not 1."""
    values = cast("list[Any]", value) if isinstance(value, list) else [value]
    return any(type(one) is type(wanted) and one == wanted for one in values)


def _shown(value: str | None) -> str:
    return repr(value[:40]) if value is not None else "none"
