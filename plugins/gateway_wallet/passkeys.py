"""Passkeys: WebAuthn Level 3 with discoverable credentials, so that nobody types a name to sign in."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse
from webauthn import generate_authentication_options, generate_registration_options
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, options_to_json_dict
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from gateway.errors import AuthenticationFailed, PermissionDenied
from gateway.identity.people import Proof
from gateway.store.tickets import UNDER_WAY, Tickets
from gateway_wallet.assertions import RelyingParty, challenge_of, id_of
from gateway_wallet.desk import SECONDS, optional_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from gateway.plugin import Context
    from gateway_wallet.desk import Desk

_WAY: Final = "passkey"
_CHALLENGE_BYTES: Final = 32
_HANDLE_BYTES: Final = 32
_MILLISECONDS: Final = 1000


class Passkeys:
    """The routes below `/sign-in/passkey`."""

    def __init__(self, context: Context, desk: Desk, *, name: str) -> None:
        self._sessions = context.sessions
        self._tickets = Tickets(context.database, _WAY, most=UNDER_WAY)
        self._desk = desk
        self._name = name
        self._party = RelyingParty(id=desk.host, origin=desk.origin)
        self.routes: list[BaseRoute] = [
            desk.route("/sign-in/passkey/options", self.options, "POST"),
            desk.route("/sign-in/passkey", self.sign_in, "POST"),
            desk.route("/sign-in/passkey/register/options", self.register_options, "POST"),
            desk.route("/sign-in/passkey/register", self.register, "POST"),
        ]

    async def options(self, request: Request) -> Response:
        """Answer with what `navigator.credentials.get` is to be asked, and whether newcomers may make an account."""
        body = await self._desk.body(request)
        await self._desk.begin(request)
        challenge, cookie = await self._challenge({"use": "get"})
        options = generate_authentication_options(
            rp_id=self._party.id,
            challenge=challenge,
            timeout=SECONDS * _MILLISECONDS,
            user_verification=UserVerificationRequirement.PREFERRED,
        )
        return _answer(options_to_json_dict(options), cookie, sign_up=self._may_sign_up(body))

    async def sign_in(self, request: Request) -> Response:
        """Open a session for whose passkey has signed the challenge."""
        body = await self._desk.body(request)
        credential = body.get("credential")
        challenge, _ = await self._redeem(request, credential, use="get")
        subject = id_of(credential)
        identity = await self._sessions.identity(_WAY, subject)
        if identity is None:
            raise AuthenticationFailed("This passkey is not known here.", code="unknown_passkey")
        data = self._party.verify_assertion(credential, challenge=challenge, known=identity.data)
        await self._sessions.update_identity(identity.id, data)
        proof = Proof(kind=_WAY, subject=subject, label=identity.label, data=data)
        invitation = optional_text(body, "invitation")
        return await self._desk.finish(request, proof, method=_WAY, invitation=invitation)

    async def register_options(self, request: Request) -> Response:
        """Answer with what `navigator.credentials.create` is to be asked.

        With `"add": true` for the account that is signed in; else for a new one, if newcomers may make themselves one.
        """
        body = await self._desk.body(request)
        await self._desk.begin(request)
        user = await self._desk.user(request, body)
        invitation = optional_text(body, "invitation")
        if user is None and not self._may_sign_up(body):
            raise PermissionDenied("You need an invitation to make an account here.", code="not_invited")
        name = optional_text(body, "name") or self._name
        handle = await self._handle(user)
        known = [] if user is None else await self._sessions.identities_of(user)
        challenge, cookie = await self._challenge(
            {
                "use": "create",
                "user": user,
                "invitation": invitation,
                "name": body.get("name"),
                "handle": bytes_to_base64url(handle),
            }
        )
        options = generate_registration_options(
            rp_id=self._party.id,
            rp_name=self._name,
            user_id=handle,
            user_name=name,
            user_display_name=name,
            challenge=challenge,
            timeout=SECONDS * _MILLISECONDS,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.PREFERRED,
            ),
            exclude_credentials=[
                PublicKeyCredentialDescriptor(id=base64url_to_bytes(identity.subject))
                for identity in known
                if identity.kind == _WAY
            ],
        )
        return _answer(options_to_json_dict(options), cookie)

    async def register(self, request: Request) -> Response:
        """Keep a new passkey: of the account that is signed in, or of a new one."""
        body = await self._desk.body(request)
        credential = body.get("credential")
        challenge, ticket = await self._redeem(request, credential, use="create")
        subject, data = self._party.verify_attestation(credential, challenge=challenge)
        proof = Proof(
            kind=_WAY,
            subject=subject,
            label=optional_text(body, "label", longest=100) or "Passkey",
            data={**data, "handle": ticket["handle"]},
            name=ticket["name"],
        )
        return await self._desk.finish(
            request, proof, method=_WAY, user=ticket["user"], invitation=ticket["invitation"]
        )

    def _may_sign_up(self, body: Mapping[str, Any]) -> bool:
        return self._sessions.rules.sign_up != "invited" or optional_text(body, "invitation") is not None

    async def _challenge(self, data: dict[str, Any]) -> tuple[bytes, tuple[str, str]]:
        browser, cookie = self._desk.bind(_WAY)
        challenge = secrets.token_bytes(_CHALLENGE_BYTES)
        token = bytes_to_base64url(challenge)
        await self._tickets.issue({**data, "browser": browser}, seconds=SECONDS, token=token)
        return challenge, cookie

    async def _redeem(
        self, request: Request, credential: object, *, use: str
    ) -> tuple[bytes, dict[str, Any]]:
        challenge = challenge_of(credential)
        ticket: dict[str, Any] | None = await self._tickets.redeem(bytes_to_base64url(challenge))
        if ticket is None or ticket["use"] != use or not self._desk.is_from(request, _WAY, ticket["browser"]):
            raise AuthenticationFailed(
                "This sign-in was not begun in this browser, took too long, or is over. Begin again.",
                code="challenge_unknown",
            )
        return challenge, ticket

    async def _handle(self, user: str | None) -> bytes:
        """All passkeys of one account have one handle, so that an authenticator knows that they belong together."""
        if user is not None:
            for identity in await self._sessions.identities_of(user):
                if identity.kind == _WAY:
                    return base64url_to_bytes(identity.data["handle"])
        return secrets.token_bytes(_HANDLE_BYTES)


def _answer(options: dict[str, Any], cookie: tuple[str, str], **more: bool) -> Response:
    headers = {"cache-control": "no-store", cookie[0]: cookie[1]}
    return JSONResponse({"publicKey": options, **more}, headers=headers)
