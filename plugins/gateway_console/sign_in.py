"""Coming in and going out: the ways to sign in, links that sign in once, invitations."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from gateway.errors import InvalidRequest
from gateway.identity.owner import PURPOSE as LINK
from gateway.store.invitations import look
from gateway.store.tenants import get_tenant
from gateway.store.tickets import Tickets
from gateway.store.users import get_user
from gateway_console.languages import COOKIE, LANGUAGES
from gateway_console.pages import HOME, SIGN_IN

if TYPE_CHECKING:
    from starlette.responses import Response

    from gateway_console.pages import Asked

INVITATION: Final = "/invitation"
_YEAR = 365 * 86_400


async def choose(asked: Asked) -> Response:
    """Show the ways to sign in; to whom is invited, the invitation."""
    if invited := asked.query.get("invitation"):
        return asked.redirect(INVITATION, token=invited)
    if asked.visitor is not None:
        return asked.redirect(asked.next)
    return asked.render("sign_in.html", ways=ways(asked, asked.next), scripts=scripts(asked))


def ways(
    asked: Asked, following: str, *, invitation: str | None = None, add: bool = False
) -> list[dict[str, Any]]:
    """The buttons: to sign in, or to add a way to the account."""
    query = {"next": following} | ({"invitation": invitation} if invitation else {})
    return [
        {
            "name": way.name,
            "title": way.title,
            "script": way.script is not None,
            "start": asked.base + way.start,
            "link": f"{asked.base}{way.start}?{urlencode(query)}",
            "next": asked.base + following,
            "below": following,
            "invitation": invitation or "",
            "add": add,
        }
        for way in asked.desk.context.sign_ins
    ]


def scripts(asked: Asked) -> list[str]:
    """The scripts of those that need one."""
    return [asked.base + way.script for way in asked.desk.context.sign_ins if way.script is not None]


async def link(asked: Asked) -> Response:
    """Ask before a link is used up: programs that look through mail open every link they see."""
    token = asked.query.get("token", "")
    data = await Tickets(asked.desk.database, LINK).look(token)
    if data is None:
        raise _over(asked)
    user = await get_user(asked.desk.database, data["user"])
    return asked.render("link.html", token=token, who=user.name if user else "")


async def follow_link(asked: Asked) -> Response:
    """Use a link up, and sign in whom it is for."""
    data = await Tickets(asked.desk.database, LINK).redeem(asked.form.get("token", ""))
    if data is None:
        raise _over(asked)
    signed_in = await asked.desk.sessions.sign_in_user(data["user"], method="link", client=asked.client)
    asked.cookies += asked.desk.sessions.cookies.headers(signed_in)
    return asked.redirect(HOME)


async def invitation(asked: Asked) -> Response:
    """Show who invites, and as what."""
    token = asked.query.get("token", "")
    invited = await look(asked.desk.database, token)
    if invited is None:
        raise InvalidRequest(asked.text("invitation.over"), status=410, code="invitation_over")
    tenant = await get_tenant(asked.desk.database, invited.tenant)
    return asked.render(
        "invitation.html",
        token=token,
        invited=invited,
        tenant=tenant,
        days=max(1, int((invited.expires_at - time.time()) // 86_400)),
        ways=ways(asked, HOME, invitation=token),
        scripts=scripts(asked) if asked.visitor is None else [],
    )


async def accept(asked: Asked) -> Response:
    """Become a member of the tenant that invites, and act for it."""
    await asked.desk.sessions.accept_invitation(
        asked.principal.session or "", user=asked.user, token=asked.form.get("token", ""), client=asked.client
    )
    return asked.redirect(HOME, done="accepted")


async def leave(asked: Asked) -> Response:
    """Sign out."""
    await asked.desk.sessions.revoke(asked.principal.session or "", user=asked.user, actor=asked.actor)
    asked.cookies = asked.desk.sessions.cookies.clear()
    return asked.redirect(SIGN_IN, done="left")


async def language(asked: Asked) -> Response:
    """Show all pages in another language from now on."""
    tag = asked.query.get("to", "")
    if tag in LANGUAGES:
        cookie = f"{COOKIE}={tag}; Max-Age={_YEAR}{asked.desk.attributes}"
        asked.cookies.append((b"set-cookie", cookie.encode()))
    return asked.redirect(asked.next)


def _over(asked: Asked) -> InvalidRequest:
    """Count it as a wrong credential. Raises `RateLimited` after too many."""
    asked.desk.context.attempts.failed(asked.client.address)
    return InvalidRequest("This link was used already, or has expired.", status=410, code="link_over")
