"""Signing in with a did:key: programs prove that they hold a private key, and get the tokens of a session."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from starlette.responses import JSONResponse

from gateway.errors import AuthenticationFailed
from gateway.identity.people import Proof
from gateway.sdk.did import PROOF_TYPE
from gateway.sdk.did_key import ED25519, key_of
from gateway.store.tickets import UNDER_WAY, Tickets
from gateway_wallet.compact import LONGEST, Compact, parse
from gateway_wallet.desk import SECONDS, optional_text, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from gateway.plugin import Context
    from gateway_wallet.desk import Desk

_WAY: Final = "did-key"
_SKEW: Final = 30
"""Seconds by which the clock of a program may be ahead."""

_HEADER: Final = frozenset({"alg", "typ", "kid"})
"""Whatever else a header may hold would say how to check it, which is not for the token to say."""

_SHOWN: Final = 16
_HALF: Final = 32


class DidKeys:
    """The routes below `/sign-in/did`."""

    def __init__(self, context: Context, desk: Desk) -> None:
        self._tickets = Tickets(context.database, _WAY, most=UNDER_WAY)
        self._desk = desk
        self._minutes = context.sessions.rules.access_minutes
        self.routes: list[BaseRoute] = [
            desk.route("/sign-in/did/challenge", self.challenge, "POST"),
            desk.route("/sign-in/did/verify", self.verify, "POST"),
        ]

    async def challenge(self, request: Request) -> Response:
        """Answer with what is to be signed, and for whom: `gateway.sdk.did.prove` does it."""
        body = await self._desk.body(request)
        await self._desk.begin(request)
        did = text(body, "did")
        key_of(did)
        user = await self._desk.user(request, body)
        challenge = await self._tickets.issue({"did": did, "user": user}, seconds=SECONDS)
        return JSONResponse(
            {"challenge": challenge, "audience": self._desk.public_url, "expires_in": SECONDS},
            headers={"cache-control": "no-store"},
        )

    async def verify(self, request: Request) -> Response:
        """Answer a proof with the tokens of a session, or add the DID to the account that is signed in."""
        body = await self._desk.body(request)
        proof = parse(text(body, "proof", longest=LONGEST))
        did = verified(proof, audience=self._desk.public_url, now=time.time())
        nonce = proof.payload.get("nonce")
        ticket: Mapping[str, Any] | None = (
            await self._tickets.redeem(nonce) if isinstance(nonce, str) else None
        )
        if ticket is None or ticket["did"] != did:
            raise AuthenticationFailed(
                "The challenge is not one of this DID's, took too long, or was used. Ask for a new one.",
                code="challenge_unknown",
            )
        shown = did.removeprefix("did:key:")
        proved = Proof(kind="did", subject=did, label=f"{shown[:_SHOWN]}…")
        if ticket["user"] is not None:
            return await self._desk.finish(request, proved, method=_WAY, user=ticket["user"])
        signed_in = await self._desk.sign_in(
            request, proved, method=_WAY, invitation=optional_text(body, "invitation")
        )
        return JSONResponse(
            {
                "access_token": signed_in.access,
                "token_type": "Bearer",
                "expires_in": int(self._minutes * 60),
                "refresh_token": signed_in.refresh,
                "session": signed_in.session.id,
                "tenant": signed_in.session.tenant,
            },
            headers={"cache-control": "no-store"},
        )


def verified(proof: Compact, *, audience: str, now: float) -> str:
    """Return the DID whose holder made a proof for that audience, at about that time.

    The kind of the key decides about the algorithm; the header may only agree. Raises `AuthenticationFailed`.
    """
    header, payload = proof.header, proof.payload
    did = payload.get("iss")
    if not isinstance(did, str):
        raise _refusal("'iss' must be the did:key")
    if set(header) - _HEADER:
        raise _refusal(f"its header may hold {', '.join(sorted(_HEADER))} and nothing else")
    if header.get("typ") != PROOF_TYPE:
        raise _refusal(f"'typ' must be '{PROOF_TYPE}'")
    if "kid" in header and header["kid"] not in (did, f"{did}#{did.removeprefix('did:key:')}"):
        raise _refusal("'kid' names another key than 'iss'")
    kind, key = key_of(did)
    if header.get("alg") not in (("Ed25519", "EdDSA") if kind == ED25519 else ("ES256",)):
        raise _refusal("'alg' is not that of the key: Ed25519 (or EdDSA) for Ed25519, ES256 for P-256")
    try:
        _check_signature(kind, key, proof)
    except (InvalidSignature, ValueError):
        raise _refusal("the signature is not good") from None
    if payload.get("aud") != audience:
        raise _refusal(f"'aud' must be '{audience}'")
    issued, expires = _seconds(payload, "iat"), _seconds(payload, "exp")
    if not now - SECONDS - _SKEW <= issued <= now + _SKEW:
        raise _refusal(f"'iat' must be within the last {SECONDS} seconds")
    if not now < expires <= issued + SECONDS:
        raise _refusal(f"'exp' must be ahead, at most {SECONDS} seconds after 'iat'")
    return did


def _check_signature(kind: bytes, key: bytes, proof: Compact) -> None:
    if kind == ED25519:
        Ed25519PublicKey.from_public_bytes(key).verify(proof.signature, proof.signed)
        return
    if len(proof.signature) != 2 * _HALF:
        raise ValueError("two numbers of 32 bytes")
    r, s = int.from_bytes(proof.signature[:_HALF]), int.from_bytes(proof.signature[_HALF:])
    public = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), key)
    public.verify(encode_dss_signature(r, s), proof.signed, ECDSA(SHA256()))


def _seconds(payload: Mapping[str, Any], name: str) -> float:
    value = payload.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refusal(f"'{name}' must be Unix seconds")
    return value


def _refusal(problem: str) -> AuthenticationFailed:
    return AuthenticationFailed(f"The proof is refused: {problem}.", code="proof_refused")
