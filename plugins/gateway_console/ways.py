"""The ways in which one signs in: accounts elsewhere, DIDs, passkeys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway_console.sign_in import scripts
from gateway_console.sign_in import ways as offered

if TYPE_CHECKING:
    from starlette.responses import Response

    from gateway_console.pages import Asked

_PATH = "/account/ways"


async def index(asked: Asked) -> Response:
    """List them, with what can be added."""
    return asked.render(
        "ways.html",
        identities=await asked.desk.sessions.identities_of(asked.user),
        ways=offered(asked, _PATH, add=True),
        scripts=scripts(asked),
    )


async def remove(asked: Asked) -> Response:
    """Take one away."""
    way: str = asked.request.path_params["way"]
    await asked.desk.sessions.remove_identity(asked.user, way, actor=asked.actor)
    return asked.redirect(_PATH, done="way-removed")
