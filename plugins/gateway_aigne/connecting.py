"""`aigne hub connect`: a program asks for a key, a signed-in person grants it, and the program fetches it once.

Only a digest of a session's id is stored, and the key encrypted under a challenge that is derived from the id: the
database alone gives neither away.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse, Response

from gateway.errors import InvalidRequest, PermissionDenied
from gateway.identity import Actor
from gateway.identity.people import Client
from gateway.store.keys import create_key
from gateway.store.tickets import UNDER_WAY, Tickets
from gateway_aigne.cryptojs import encrypt

if TYPE_CHECKING:
    from starlette.requests import Request

    from gateway.plugin import Context
    from gateway.types import Principal

_SECONDS: Final = 900
"""How long somebody has to grant a key."""
_FETCH_SECONDS: Final = 120
"""How long the program then has to fetch it."""
_MAX_AGENT: Final = 200
_OWN_KEYS: Final = "keys.own"


class Connecting:
    """The sessions in which keys are asked for; shared by all workers."""

    def __init__(self, context: Context) -> None:
        self._database = context.database
        self._sessions = context.sessions
        self._tickets = Tickets(context.database, "aigne-connect", most=UNDER_WAY)
        self._granted = Tickets(context.database, "aigne-granted")

    async def begin(self, request: Request) -> Response:
        """Open a session. Raises `RateLimited` for an address that asks too often, `Unavailable` when too many do."""
        address = Client.of(request).address
        await self._sessions.begin(address)
        asked = {
            "address": address,
            "agent": request.headers.get("user-agent", "")[:_MAX_AGENT],
            "at": time.time(),
        }
        id = secrets.token_hex(24)  # noqa: A001 - the field's name
        await self._tickets.issue(asked, seconds=_SECONDS, token=id)
        return _json({"id": id, "challenge": _challenge(id)})

    async def show(self, request: Request) -> Response:
        """Tell the program how far it is, and its key once that is granted."""
        id = _session(request)  # noqa: A001
        found = await self.find(id)
        granted = {name: found[name] for name in ("accessKeyId", "accessKeySecret") if name in found}
        return _json({"id": id, "challenge": _challenge(id), **granted})

    async def end(self, request: Request) -> Response:
        """Forget a session."""
        await self._tickets.redeem(_session(request))
        return _json({"deleted": True})

    async def find(self, id: str) -> dict[str, Any]:
        """Return who asks. Raises `InvalidRequest` (404) when nobody does, or no longer."""
        found = await self._tickets.look(id)
        if found is None:
            raise InvalidRequest(
                "Nobody asks for a key with this link any more. Run the command again.",
                status=404,
                code="not_found",
            )
        return found

    async def grant(self, id: str, principal: Principal, *, name: str, address: str | None) -> None:
        """Make a key of the person's own for the program that asked.

        Raises `PermissionDenied`; `InvalidRequest`: 404 when nobody asks any more, 409 when it has been granted.
        """
        if principal.user is None or not principal.may(_OWN_KEYS):
            raise PermissionDenied(f"To make keys of your own, the permission '{_OWN_KEYS}' is needed.")
        asked = await self.find(id)
        if not await self._granted.spend(id, seconds=_SECONDS):
            raise InvalidRequest("A key has been granted already.", status=409, code="conflict")
        actor = Actor(kind="user", id=principal.user, address=address)
        key, secret = await create_key(
            self._database, name, tenant=principal.tenant, owner=principal.user, actor=actor
        )
        handed = encrypt(secret, salt=key.id, challenge=_challenge(id))
        await self._tickets.change(
            id, {**asked, "accessKeyId": key.id, "accessKeySecret": handed}, seconds=_FETCH_SECONDS
        )


def _challenge(id: str) -> str:
    return hmac.new(id.encode(), b"challenge", hashlib.sha256).hexdigest()


def _session(request: Request) -> str:
    return request.query_params.get("sid", "")


def _json(fields: dict[str, Any]) -> Response:
    return JSONResponse(fields, headers={"cache-control": "no-store"})
