"""Sign-In with Ethereum: the gateway writes the message, the wallet signs it, the account becomes a did:pkh."""

from __future__ import annotations

import secrets
import string
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse

from gateway.errors import AuthenticationFailed, InvalidRequest
from gateway.identity.people import Proof
from gateway.store.tickets import UNDER_WAY, Tickets
from gateway_wallet import ethereum
from gateway_wallet.desk import SECONDS, optional_text, text
from gateway_wallet.siwe_message import LONGEST, SiweMessage, parse
from gateway_wallet.undeployed import undeployed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from gateway.plugin import Context
    from gateway_wallet.config import WalletConfig
    from gateway_wallet.contracts import Contracts
    from gateway_wallet.desk import Desk

_WAY: Final = "siwe"
_SKEW: Final = timedelta(seconds=30)
"""How far the clock of a client that writes its own message may be ahead."""

_ALPHANUMERIC: Final = string.ascii_letters + string.digits
_LONGEST_SIGNATURE: Final = 10_000
"""Characters: what contracts take may hold the signatures of several owners."""

_NONCE: Final = 24
"""Characters: 142 bits."""


class Ethereum:
    """The routes below `/sign-in/siwe`."""

    def __init__(self, context: Context, desk: Desk, config: WalletConfig, contracts: Contracts) -> None:
        self._tickets = Tickets(context.database, _WAY, most=UNDER_WAY)
        self._desk = desk
        self._chains = config.chains
        self._contracts = contracts
        self.routes: list[BaseRoute] = [
            desk.route("/sign-in/siwe/message", self.message, "POST"),
            desk.route("/sign-in/siwe", self.sign_in, "POST"),
        ]

    async def message(self, request: Request) -> Response:
        """Answer with a nonce, and with the message to sign when the `address` is given.

        `chain` is that of the wallet: it is taken when it may be signed in with.
        """
        body = await self._desk.body(request)
        await self._desk.begin(request)
        user = await self._desk.user(request, body)
        address = optional_text(body, "address")
        chain = body["chain"] if body.get("chain") in self._chains else self._chains[0]
        browser, (name, cookie) = self._desk.bind(_WAY)
        nonce = "".join(secrets.choice(_ALPHANUMERIC) for _ in range(_NONCE))
        answer: dict[str, Any] = {
            "nonce": nonce,
            "domain": self._desk.domain,
            "uri": f"{self._desk.public_url}/sign-in",
            "chain": chain,
            "expires_in": SECONDS,
        }
        if address is not None:
            answer["message"] = self._written(answer, _checksummed(address))
        data = {"browser": browser, "user": user, "invitation": optional_text(body, "invitation")}
        await self._tickets.issue(data, seconds=SECONDS, token=nonce)
        return JSONResponse(answer, headers={"cache-control": "no-store", name: cookie})

    async def sign_in(self, request: Request) -> Response:
        """Open a session for the account that has signed the message, with a key or as a contract."""
        body = await self._desk.body(request)
        written = text(body, "message", longest=LONGEST)
        try:
            message = parse(written)
        except ValueError as error:
            raise InvalidRequest(f"'message': {error}.", param="message") from None
        ticket: Mapping[str, Any] | None = await self._tickets.redeem(message.nonce)
        if ticket is None or not self._desk.is_from(request, _WAY, ticket["browser"]):
            raise AuthenticationFailed(
                "This sign-in was not begun in this browser, took too long, or is over. Begin again.",
                code="challenge_unknown",
            )
        self._check(message, datetime.now(UTC))
        await self._check_signature(message, written, text(body, "signature", longest=_LONGEST_SIGNATURE))
        address = message.address
        proof = Proof(
            kind="did",
            subject=f"did:pkh:eip155:{message.chain}:{address}",
            label=f"{address[:6]}…{address[-4:]}",
        )
        return await self._desk.finish(
            request, proof, method=_WAY, user=ticket["user"], invitation=ticket["invitation"]
        )

    async def _check_signature(self, message: SiweMessage, written: str, signature: str) -> None:
        """Refuse what neither the account's key nor its contract has signed.

        Raises `AuthenticationFailed`, and `Unavailable` when the node of the chain does not tell.
        """
        try:
            data = ethereum.signature_bytes(signature)
            made_later = undeployed(data)
        except ValueError as error:
            raise _refusal(f"'signature': {error}.") from None
        try:
            if ethereum.signer_of(written, signature) == message.address:
                return
            problem = "Another account has signed this message."
        except ValueError as error:
            problem = f"'signature': {error}."
        if message.chain not in self._contracts:
            raise _refusal(
                f"{problem} Accounts that are contracts cannot sign in: the gateway has no node of chain {message.chain}, "
                "which its operator can name in `nodes` of [auth.wallet]."
            )
        digest = ethereum.digest_of(written)
        if not await self._contracts.accepts(message.chain, message.address, digest, made_later or data):
            raise _refusal(
                f"{problem} Nor is the account a contract on chain {message.chain} that accepts the signature."
            )

    def _written(self, answer: Mapping[str, Any], address: str) -> str:
        now = datetime.now(UTC).replace(microsecond=0)
        return (
            f"{answer['domain']} wants you to sign in with your Ethereum account:\n{address}\n\n"
            f"Sign in to {answer['domain']}.\n\n"
            f"URI: {answer['uri']}\nVersion: 1\nChain ID: {answer['chain']}\nNonce: {answer['nonce']}\n"
            f"Issued At: {_timestamp(now)}\nExpiration Time: {_timestamp(now + timedelta(seconds=SECONDS))}"
        )

    def _check(self, message: SiweMessage, now: datetime) -> None:
        """Refuse what was signed for others, or for another time. Raises `AuthenticationFailed`."""
        problem = None
        if message.domain != self._desk.domain or message.scheme not in {None, self._desk.scheme}:
            problem = f"it was signed for {message.domain}, not for {self._desk.domain}"
        elif message.uri != f"{self._desk.public_url}/sign-in":
            problem = f"its URI must be {self._desk.public_url}/sign-in"
        elif message.chain not in self._chains:
            problem = f"chain {message.chain} may not be signed in with"
        elif not now - timedelta(seconds=SECONDS) - _SKEW <= message.issued_at <= now + _SKEW:
            problem = f"it was not issued within the last {SECONDS} seconds"
        elif message.expiration_time is not None and message.expiration_time <= now:
            problem = "it has expired"
        elif message.not_before is not None and message.not_before > now:
            problem = "it is not valid yet"
        if problem is not None:
            raise AuthenticationFailed(f"This message is refused: {problem}.", code="message_refused")


def _refusal(problem: str) -> AuthenticationFailed:
    return AuthenticationFailed(problem, code="signature_refused")


def _checksummed(address: str) -> str:
    try:
        return ethereum.checksummed(address)
    except ValueError as error:
        raise InvalidRequest(f"'address': {error}.", param="address") from None


def _timestamp(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
