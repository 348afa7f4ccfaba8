"""Components register themselves: with a ticket from an administrator, and by signing a challenge with their key."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode
from typing import TYPE_CHECKING, Any, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct
from starlette.responses import JSONResponse
from starlette.routing import Route

from gateway.errors import AuthenticationFailed, InvalidRequest
from gateway.identity import Actor
from gateway.sdk.did_key import ED25519, key_of
from gateway.small_body import small_body
from gateway.store.components import REGISTRATION, NewComponent, create_component
from gateway.store.tickets import Tickets

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from gateway.store import Database
    from gateway.store.changes import Changes

CHALLENGE_SECONDS: Final = 120
_MOST_BYTES: Final = 4096
_WORDS: Final = "gateway component registration"


class _Asked(Struct, forbid_unknown_fields=True):
    ticket: str
    did: str


class _Answered(Struct, forbid_unknown_fields=True):
    challenge: str
    signature: str


class Registration:
    """The two steps. What is registered was decided with the ticket; the component only brings its key."""

    def __init__(self, database: Database, changes: Changes) -> None:
        self._database = database
        self._changes = changes
        self._tickets = Tickets(database, REGISTRATION)
        self._challenges = Tickets(database, "component-challenge")

    def routes(self) -> tuple[Route, ...]:
        """List the routes."""
        return (
            Route("/components/challenge", self.challenge, methods=["POST"]),
            Route("/components/register", self.register, methods=["POST"]),
        )

    async def challenge(self, request: Request) -> Response:
        """Take `{"ticket", "did"}`, the DID being the did:key of the component's key; give what is to be signed."""
        asked = msgspec_body(await small_body(request, _MOST_BYTES), _Asked)
        kind, _ = key_of(asked.did)
        if kind != ED25519:
            raise InvalidRequest("A component's key is an Ed25519 key.", param="did")
        if await self._tickets.look(asked.ticket) is None:
            raise _bad_ticket()
        data = {"ticket": asked.ticket, "did": asked.did}
        challenge = await self._challenges.issue(data, seconds=CHALLENGE_SECONDS)
        return JSONResponse(
            {
                "challenge": challenge,
                "sign": signed_text(challenge, asked.did),
                "expires_in": CHALLENGE_SECONDS,
            }
        )

    async def register(self, request: Request) -> Response:
        """Take `{"challenge", "signature"}`, the signature in base64url over the text; give the new component."""
        answered = msgspec_body(await small_body(request, _MOST_BYTES), _Answered)
        data: dict[str, str] | None = await self._challenges.redeem(answered.challenge)
        if data is None:
            raise AuthenticationFailed(
                "This challenge is not known, has expired or was used: ask for a new one.",
                code="bad_challenge",
            )
        did = data["did"]
        _, key = key_of(did)
        try:
            signature = urlsafe_b64decode(answered.signature + "=" * (-len(answered.signature) % 4))
            text = signed_text(answered.challenge, did).encode()
            Ed25519PublicKey.from_public_bytes(key).verify(signature, text)
        except (InvalidSignature, binascii.Error, ValueError) as error:
            raise AuthenticationFailed(
                "The signature does not fit the challenge and the key.", code="invalid_signature"
            ) from error
        decided = await self._tickets.redeem(data["ticket"])
        if decided is None:
            raise _bad_ticket()
        row = await create_component(
            self._database,
            msgspec.convert(decided, NewComponent),
            "rfc9421",
            did,
            key,
            actor=Actor(kind="component", id=did, request_id=request.scope.get("gateway.request_id")),
        )
        await self._changes.look()  # so that it may call at once, here at least
        return JSONResponse({"id": row.id, "name": row.name, "tenant": row.tenant, "key_id": row.key_id}, 201)


def signed_text(challenge: str, did: str) -> str:
    """What a component signs to show that it holds its key: three lines, for nothing else to be taken for it."""
    return f"{_WORDS}\n{did}\n{challenge}"


def msgspec_body(body: bytes, type: type[Any]) -> Any:
    """Read a JSON body. Raises `InvalidRequest` that says what is wrong with it."""
    try:
        return msgspec.json.decode(body, type=type)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"The body is not as it should be: {error}") from error


def _bad_ticket() -> AuthenticationFailed:
    return AuthenticationFailed(
        "This registration ticket is not known, has expired or was used.", code="bad_ticket"
    )
