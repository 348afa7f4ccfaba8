"""Where one is signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway_console.agents import describe

if TYPE_CHECKING:
    from starlette.responses import Response

    from gateway_console.pages import Asked

_PATH = "/account/sessions"


async def index(asked: Asked) -> Response:
    """List the sessions, this one first."""
    found = await asked.desk.sessions.sessions_of(asked.user)
    here = asked.principal.session
    found.sort(key=lambda session: (session.id != here, -session.last_seen_at))
    rows = [(session, describe(session.agent)) for session in found]
    return asked.render("sessions.html", rows=rows, here=here)


async def revoke(asked: Asked) -> Response:
    """End one of them."""
    session: str = asked.request.path_params["session"]
    await asked.desk.sessions.revoke(session, user=asked.user, actor=asked.actor)
    return asked.redirect(_PATH, done="session-revoked")


async def revoke_others(asked: Asked) -> Response:
    """End all but this one."""
    here = asked.principal.session or ""
    await asked.desk.sessions.revoke_others(here, user=asked.user, actor=asked.actor)
    return asked.redirect(_PATH, done="others-revoked")
