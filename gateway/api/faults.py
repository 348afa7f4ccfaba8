"""Faults outside of the core's own stack: in the ASGI middleware of plugins."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.api.errors import on_fault


class Faults:
    """Answers a fault that middleware lets through, then raises it again for the server.

    Unlike Starlette's own, it stands nowhere in the way of what is sent: `scope["gateway.answering"]` says whether an
    answer has begun.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        try:
            await self._app(scope, receive, send)
        except Exception as fault:
            if scope["type"] == "http":
                answer = await on_fault(Request(scope), fault)
                if "gateway.answering" not in scope:
                    await answer(scope, receive, send)
            raise
