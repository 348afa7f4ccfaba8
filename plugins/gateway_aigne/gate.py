"""Who may come in, and how what went wrong is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import GatewayError, PermissionDenied
from gateway.wire.aigne_chat import AigneChat

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from gateway.doors import Visit
    from gateway.plugin import Context
    from gateway.types import Principal

SERVICE: Final = "svc_"
"""What ids of service accounts begin with."""
_NOBODY: Final = "none"
"""The authenticator of a gateway that knows no callers."""
_words = AigneChat()


class Gate:
    """Lets callers in; with `authenticators`, only programs that these recognise, and service accounts."""

    def __init__(self, context: Context, authenticators: Collection[str] | None = None) -> None:
        self._context = context
        self._authenticators = authenticators

    async def enter(self, scope: Scope, receive: Receive, send: Send) -> Visit:
        """Find out who it is. Raises `AuthenticationFailed`, `PermissionDenied`."""
        visit = await self._context.calls.enter(scope, receive, send)
        if self._authenticators is not None and not self._admits(visit.principal, self._authenticators):
            raise PermissionDenied(
                "/api/v1 is for components, which sign their requests, and for keys of service accounts. Use /api/v2."
            )
        return visit

    def _admits(self, principal: Principal, authenticators: Collection[str]) -> bool:
        if principal.authenticator in {_NOBODY, *authenticators}:
            return True
        return principal.user is not None and principal.user.startswith(SERVICE)


class Straight:
    """Hands a call on in an OpenAI dialect, which is answered in it, too."""

    def __init__(self, gate: Gate, put: Callable[[bytes, Visit], tuple[str, bytes]]) -> None:
        self._gate = gate
        self._put = put

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            visit = await self._gate.enter(scope, receive, send)
            dialect, body = self._put(await visit.body(), visit)
        except GatewayError as error:
            await refusal(error)(scope, receive, send)
            return
        await visit.answer(dialect, body)


class Handled:
    """Answers requests with what a function makes of them."""

    def __init__(self, gate: Gate, handle: Callable[[Visit, Request], Awaitable[Response]]) -> None:
        self._gate = gate
        self._handle = handle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            visit = await self._gate.enter(scope, receive, send)
            answer = await self._handle(visit, Request(scope, receive))
        except GatewayError as error:
            answer = refusal(error)
        await answer(scope, receive, send)


def refusal(error: GatewayError) -> Response:
    """Tell an error in the words that AIGNE's clients read."""
    answer = Response(_words.error(error), error.status, media_type="application/json")
    answer.raw_headers.extend(error.headers)
    return answer
