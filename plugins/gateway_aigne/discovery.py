"""`/__blocklet__.js?type=json`: where AIGNE's clients look for the interfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.responses import JSONResponse, Response

if TYPE_CHECKING:
    from starlette.requests import Request

PATH: Final = "/__blocklet__.js"
_HUB: Final = "z8ia3xzq2tMq8CRHfaXj1BTYJyYnEcHbqP8cJ"
"""The DID of AIGNE Hub, by which its clients find it."""


class Discovery:
    """Says where the interfaces are mounted."""

    def __init__(self, prefix: str) -> None:
        self._mounted = {
            "did": _HUB,
            "name": "aigne-hub",
            "title": "AIGNE Hub",
            "mountPoint": prefix or "/",
            "status": "running",
        }

    async def show(self, request: Request) -> Response:
        """Describe the site as one blocklet with one component."""
        return JSONResponse(
            {
                "appUrl": str(request.base_url),
                "prefix": "/",
                "componentId": _HUB,
                "componentMountPoints": [self._mounted],
            }
        )
