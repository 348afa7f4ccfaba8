"""The client's side of the authorization code flow with PKCE (RFC 6749 §4.1, RFC 7636, RFC 9207, OpenID Connect Core 1.0)."""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

from gateway.errors import InvalidRequest
from gateway.identity.people import Proof
from gateway_jwt.config import is_safe
from gateway_jwt.fetch import FetchFailed
from gateway_jwt.token import parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway_jwt.issuer import Issuer
    from gateway_jwt.keys import Metadata

_OK: Final = 200
_LABELS: Final = ("email", "preferred_username", "name", "sub")


def new_verifier() -> str:
    """A secret of 256 bits: a code verifier (RFC 7636 §4.1), or a nonce."""
    return secrets.token_urlsafe(32)


async def authorization_url(
    issuer: Issuer, *, redirect_uri: str, state: str, nonce: str, verifier: str
) -> str:
    """Where the browser goes to sign in. Raises `FetchFailed`."""
    endpoint = (await issuer.keys.metadata()).authorization_endpoint
    if endpoint is None or not is_safe(endpoint):
        raise FetchFailed(f"{issuer.config.issuer} names no safe authorization_endpoint")
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": issuer.config.client_id or "",
        "redirect_uri": redirect_uri,
        "scope": " ".join(dict.fromkeys(("openid", *issuer.config.sign_in_scopes))),
        "state": state,
        "nonce": nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(query)}"


async def code_of(issuer: Issuer, answer: Mapping[str, str]) -> str:
    """The code in what the browser brings back. Raises `InvalidRequest` when there is none, or another issuer sent it."""
    metadata = await issuer.keys.metadata()
    named = answer.get("iss")
    if named != issuer.config.issuer and (
        named is not None or metadata.authorization_response_iss_parameter_supported
    ):
        raise InvalidRequest("The answer comes from another issuer than the one that was asked.")
    if answer.get("error") == "access_denied":
        raise InvalidRequest(
            "The sign-in was cancelled, or you are not allowed to sign in there.", code="access_denied"
        )
    code = answer.get("code")
    if answer.get("error") or not code:
        raise InvalidRequest("The issuer did not sign you in.", code="sign_in_failed")
    return code


async def proof_of(issuer: Issuer, code: str, *, redirect_uri: str, verifier: str, nonce: str) -> Proof:
    """Exchange a code for an ID token, and make a proof of it.

    Raises `InvalidRequest` for a code that is not good, `FetchFailed`, and `Malformed` or `NotGood` for the ID token.
    """
    text = await _id_token(issuer, code, redirect_uri=redirect_uri, verifier=verifier)
    token = parse(text)
    await issuer.verifier.id_token(token, text, nonce=nonce)
    claims = token.claims
    email = _text(claims, "email")
    return Proof(
        kind="oidc",
        subject=f"{issuer.config.issuer} {claims['sub']}",
        label=next(filter(None, (_text(claims, name) for name in _LABELS)), issuer.name),
        name=_text(claims, "name") or _text(claims, "preferred_username"),
        email=email,
        email_verified=email is not None and claims.get("email_verified") is True,
        locale=_text(claims, "locale"),
    )


async def _id_token(issuer: Issuer, code: str, *, redirect_uri: str, verifier: str) -> bytes:
    metadata, config = await issuer.keys.metadata(), issuer.config
    if metadata.token_endpoint is None:
        raise FetchFailed(f"{config.issuer} names no token_endpoint")
    client_id = config.client_id or ""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
    }
    basic = None
    if config.client_secret is None:
        form["client_id"] = client_id
    elif _by_header(metadata):
        basic = (client_id, config.client_secret.reveal())
    else:
        form |= {"client_id": client_id, "client_secret": config.client_secret.reveal()}
    status, answer = await issuer.fetcher.post(metadata.token_endpoint, form, basic=basic)
    if status != _OK:
        error = str(answer.get("error"))[:60]
        if error == "invalid_grant":
            raise InvalidRequest("The issuer did not accept the code: it is too old, or was used before.")
        raise FetchFailed(f"{config.issuer} refused to exchange a code: HTTP {status}, {error!r}")
    token = answer.get("id_token")
    if not isinstance(token, str):
        raise FetchFailed(f"{config.issuer} sent no id_token")
    return token.encode()


def _by_header(metadata: Metadata) -> bool:
    methods = metadata.token_endpoint_auth_methods_supported
    return "client_secret_basic" in methods or "client_secret_post" not in methods


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    return value if isinstance(value, str) and value else None
