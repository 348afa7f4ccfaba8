"""Where the admin API is reached. What it is made of is imported with its first request."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from starlette.routing import Match, Route

from gateway.admin import PREFIX

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from gateway.admin.request import Services
    from gateway.api.access import Access


class _Below(Route):
    """Every path below the prefix: one that holds a line break, too, which Starlette's own pattern leaves to others."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        path: str = scope["path"].removeprefix(scope.get("root_path", ""))
        if scope["type"] == "http" and path.startswith(f"{PREFIX}/"):
            return Match.FULL, {"endpoint": self.endpoint}
        return Match.NONE, {}


class AdminApi:
    """The admin API, not yet awake."""

    def __init__(self, access: Access, services: Services, plugins: Sequence[object] = ()) -> None:
        self._plugins = plugins
        self._access = access
        self._services = services
        self._app: ASGIApp | None = None
        self._waking = asyncio.Lock()

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes by which the gateway reaches it."""
        return Route(PREFIX, self), _Below(f"{PREFIX}/{{rest:path}}", self)

    def _wake(self) -> ASGIApp:
        from gateway.admin.app import AdminApp  # noqa: PLC0415 - many models: not before they are used
        from gateway.admin.resources import endpoints  # noqa: PLC0415

        return AdminApp(endpoints(self._plugins), self._access, self._services)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand over."""
        if self._app is None:
            async with self._waking:
                # Beside the loop: calls that run must not wait for the models to be made.
                self._app = self._app or await asyncio.to_thread(self._wake)
        await self._app(scope, receive, send)
