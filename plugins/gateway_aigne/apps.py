"""`/api/app/…`: apps that register their keys, and what they are subscribed to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct
from starlette.responses import JSONResponse, Response

from gateway.errors import GatewayError, InvalidRequest, PermissionDenied, Unavailable
from gateway.identity import Actor
from gateway.identity.components import key_id_of, read_public_key
from gateway.identity.people import Client
from gateway.small_body import small_body
from gateway.store.components import NewComponent, count_waiting, create_component
from gateway_aigne.gate import refusal
from gateway_aigne.words import fields_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from gateway.doors import Standing, SubscriptionBook, Visit
    from gateway.plugin import Context
    from gateway.types import Principal
    from gateway_aigne.credit import Credit

_SCHEME: Final = "aigne-remote"
_MANAGE: Final = "billing.manage"
_MOST_WAITING: Final = 100
"""Apps that have registered themselves and that no administrator has let in."""
_MOST_BYTES: Final = 4096
_SERVES_ITSELF: Final = {"useAIKitService": False}


class _Registering(Struct):
    public_key: str = msgspec.field(name="publicKey")


class Apps:
    """Answers for apps; `tenant` is where they may register themselves, if anywhere."""

    def __init__(self, context: Context, credit: Credit, tenant: str | None) -> None:
        self._context = context
        self._credit = credit
        self._tenant = tenant

    async def register(self, request: Request) -> Response:
        """Take `{"publicKey"}` of an app that nobody knows; answer with its id, and where to pay.

        The app may call once an administrator has enabled it. A second time changes nothing.
        """
        try:
            return await self._register(request)
        except GatewayError as error:
            return refusal(error)

    async def _register(self, request: Request) -> Response:
        if self._tenant is None:
            raise PermissionDenied(
                "Apps do not register themselves at this gateway: ask its administrator to register the public key."
            )
        address = Client.of(request).address
        await self._context.sessions.begin(address)
        key = read_public_key((await _registering(request)).public_key)
        id = key_id_of(_SCHEME, key)  # noqa: A001 - the field's name
        if await count_waiting(self._context.database, self._tenant) >= _MOST_WAITING:
            raise Unavailable("Too many apps wait for an administrator to let them in. Try again later.")
        new = NewComponent(tenant=self._tenant, name=f"App {id}")
        actor = Actor(kind="component", id=id, address=address)
        try:
            await create_component(self._context.database, new, _SCHEME, id, key, actor=actor, disabled=True)
        except InvalidRequest as error:
            if error.code != "key_registered":
                raise
        account = await self._credit.account_of(self._tenant)
        return JSONResponse({"id": id, "paymentLink": None if account is None else account.payment_url})

    async def status(self, visit: Visit, _request: Request) -> Response:
        """Tell an app that it is known, and what its tenant is subscribed to."""
        who, book = visit.principal, self._context.subscriptions
        standing = None if book is None else await book.standing(who.tenant)
        return JSONResponse(
            {
                "id": who.user or who.key,
                "subscription": None if standing is None else _shown(standing),
                "subscriptionDetailUrl": None,
            }
        )

    async def config(self, _visit: Visit, _request: Request) -> Response:
        """Tell that calls are not handed on to another hub."""
        return JSONResponse(_SERVES_ITSELF)

    async def change_config(self, visit: Visit, _request: Request) -> Response:
        """Take what is so already. Raises `InvalidRequest` for handing calls on to another hub."""
        if (fields_of(await visit.body()) or {}) != _SERVES_ITSELF:
            raise InvalidRequest(
                "'useAIKitService' is false here: calls go to the providers of plugins.toml, of which another hub may be one "
                '(use = "openai", base_url = its address).',
                param="useAIKitService",
            )
        return JSONResponse(_SERVES_ITSELF)

    async def cancel(self, visit: Visit, request: Request) -> Response:
        """Let the tenant's subscription end with its period."""
        return await self._end(visit, request, at_end=True)

    async def recover(self, visit: Visit, request: Request) -> Response:
        """Let the tenant's subscription go on that was cancelled and has not ended yet."""
        return await self._end(visit, request, at_end=False)

    async def _end(self, visit: Visit, request: Request, *, at_end: bool) -> Response:
        who = visit.principal
        if not who.may(_MANAGE):
            raise PermissionDenied(f"To change a subscription, the permission '{_MANAGE}' is needed.")
        actor = _actor(who, request)
        return JSONResponse(_shown(await self._book().cancel(who.tenant, at_end=at_end, actor=actor)))

    def _book(self) -> SubscriptionBook:
        book = self._context.subscriptions
        if book is None:
            raise InvalidRequest(
                "Nobody subscribes to anything at this gateway.", status=404, code="not_found"
            )
        return book


async def _registering(request: Request) -> _Registering:
    body = await small_body(request, _MOST_BYTES)
    try:
        return msgspec.json.decode(body, type=_Registering)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f'The body must be {{"publicKey": …}}: {error}.', param="publicKey") from error


def _actor(who: Principal, request: Request) -> Actor:
    address = Client.of(request).address
    if who.user is not None:
        return Actor(kind="user", id=who.user, address=address)
    return Actor(kind="key", id=who.key or who.authenticator, address=address)


def _shown(standing: Standing) -> dict[str, Any]:
    """A subscription in the words of the hub's payments. Times are Unix seconds."""
    return {
        "id": standing.reference,
        "status": "canceled" if standing.status == "cancelled" else standing.status,
        "plan": standing.plan,
        "quantity": standing.seats,
        "current_period_start": standing.period_start,
        "current_period_end": standing.period_end,
        "cancel_at_period_end": standing.cancel_at_end,
        "cancel_at": standing.period_end if standing.cancel_at_end else None,
    }
