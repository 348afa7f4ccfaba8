"""All pages, on one screen."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from starlette.routing import Route

from gateway_console import account, device, keys, sessions, sign_in, tokens, ways
from gateway_console.pages import Desk

if TYPE_CHECKING:
    from gateway.plugin import Context
    from gateway_console.pages import Page


def routes(context: Context, title: str) -> list[Route]:
    """Every route of the console; those of people who are signed in say so."""
    desk = Desk(context, title)
    everybody: list[tuple[str, str, Page]] = [
        ("GET", "/sign-in", sign_in.choose),
        ("GET", "/sign-in/link", sign_in.link),
        ("POST", "/sign-in/link", sign_in.follow_link),
        ("GET", "/sign-in/language", sign_in.language),
        ("GET", "/invitation", sign_in.invitation),
    ]
    signed_in: list[tuple[str, str, Page]] = [
        ("POST", "/sign-in/leave", sign_in.leave),
        ("GET", device.PATH, device.page),
        ("POST", f"{device.PATH}/decide", device.decide),
        ("POST", "/invitation", sign_in.accept),
        ("GET", "/account", account.overview),
        ("POST", "/account/tenant", account.switch),
        ("GET", "/account/keys", keys.index),
        ("GET", "/account/keys/new", keys.form),
        ("POST", "/account/keys", keys.create),
        ("POST", "/account/keys/{key}/rotate", keys.rotate),
        ("POST", "/account/keys/{key}/revoke", keys.revoke),
        ("GET", "/account/ways", ways.index),
        ("POST", "/account/ways/{way}/remove", ways.remove),
        ("GET", "/account/sessions", sessions.index),
        ("POST", "/account/sessions/{session}/revoke", sessions.revoke),
        ("POST", "/account/sessions/revoke-others", sessions.revoke_others),
    ]
    pages = [(page, False) for page in everybody] + [(page, True) for page in signed_in]
    return [
        *(
            Route(path, desk.endpoint(page, signed_in=known), methods=[method])
            for (method, path, page), known in pages
        ),
        Route(device.PATH, functools.partial(device.begin, desk), methods=["POST"]),
        Route("/sign-in/token", functools.partial(device.token, desk), methods=["POST"]),
        Route("/sign-in/refresh", functools.partial(tokens.refresh, desk), methods=["POST"]),
        Route("/sign-in/out", functools.partial(tokens.out, desk), methods=["POST"]),
        Route("/console/static/{name}", desk.files.answer, methods=["GET"]),
    ]
