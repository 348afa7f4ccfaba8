"""One's own API keys in the present tenant."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from gateway.errors import GatewayError, InvalidRequest, PermissionDenied
from gateway.identity.keys import check_scopes
from gateway.identity.permissions import PERMISSIONS
from gateway.store.key_rows import KeySettings
from gateway.store.keys import create_key, revoke_key, rotate_key, tenant_keys
from gateway.types import MAKE_CALLS

if TYPE_CHECKING:
    from starlette.responses import Response

    from gateway.store.key_rows import ApiKey
    from gateway_console.pages import Asked

_PATH: Final = "/account/keys"
_DAY: Final = 86_400
LIFETIMES: Final = ("7", "30", "90", "365", "never")
"""Days for which a key may be made."""
_USUAL_LIFETIME: Final = "90"
OVERLAPS: Final = ("0", "3600", "86400", "604800")
"""Seconds for which a key that is replaced may go on working."""
_OWN: Final = "keys.own"


async def index(asked: Asked) -> Response:
    """List the keys that are good."""
    keys = await tenant_keys(asked.desk.database, asked.principal.tenant, owner=asked.user)
    return asked.render(
        "keys.html", keys=[*reversed(keys)], may_create=asked.principal.may(_OWN), overlaps=OVERLAPS
    )


async def form(asked: Asked) -> Response:
    """Ask what a new key is to be."""
    _may(asked)
    return _form(asked, {"lifetime": _USUAL_LIFETIME, "scopes": [MAKE_CALLS]})


async def create(asked: Asked) -> Response:
    """Make a key, and show it this once."""
    _may(asked)
    given: dict[str, Any] = {
        "name": asked.form.get("name", "").strip(),
        "restrict": asked.form.get("restrict", ""),
        "models": asked.form.get("models", ""),
        "scopes": asked.form.getlist("scopes"),
        "lifetime": asked.form.get("lifetime", _USUAL_LIFETIME),
    }
    try:
        settings = _settings(asked, given)
        if not await asked.once():
            return asked.redirect(_PATH, done="key-known")
        row, key = await create_key(
            asked.desk.database,
            given["name"],
            tenant=asked.principal.tenant,
            settings=settings,
            owner=asked.user,
            actor=asked.actor,
        )
    except GatewayError as error:
        if error.param is None:
            raise
        return _form(asked, given, wrong=error)
    return _once(asked, row, key)


async def rotate(asked: Asked) -> Response:
    """Replace a key, and show the new one this once."""
    _may(asked)
    overlap = asked.form.get("overlap", "0")
    if overlap not in OVERLAPS:
        raise InvalidRequest("There is no such overlap.", param="overlap")
    if not await asked.once():
        return asked.redirect(_PATH, done="key-known")
    row, key = await rotate_key(
        asked.desk.database,
        asked.principal.tenant,
        asked.request.path_params["key"],
        overlap_seconds=int(overlap),
        owner=asked.user,
        actor=asked.actor,
    )
    return _once(asked, row, key)


async def revoke(asked: Asked) -> Response:
    """End a key."""
    _may(asked)
    key: str = asked.request.path_params["key"]
    await revoke_key(asked.desk.database, asked.principal.tenant, key, owner=asked.user, actor=asked.actor)
    return asked.redirect(_PATH, done="key-revoked")


def _may(asked: Asked) -> None:
    if not asked.principal.may(_OWN):
        raise PermissionDenied(asked.text("keys.not_allowed"), code="missing_permission")


def _settings(asked: Asked, given: dict[str, Any]) -> KeySettings:
    """What the form says. Raises `InvalidRequest` and `PermissionDenied` that name the field."""
    if given["lifetime"] not in LIFETIMES:
        raise InvalidRequest("There is no such lifetime.", param="lifetime")
    if not given["name"]:
        raise InvalidRequest(asked.text("keys.name_missing"), param="name")
    if not given["scopes"]:
        raise InvalidRequest(asked.text("keys.scopes_missing"), param="scopes")
    check_scopes(given["scopes"], held=asked.principal.scopes)
    models = None
    if given["restrict"]:
        models = tuple(dict.fromkeys(given["models"].split()))
        if not models:
            raise InvalidRequest(asked.text("keys.models_missing"), param="models")
    days = given["lifetime"]
    return KeySettings(
        scopes=None if given["scopes"] == [MAKE_CALLS] else tuple(given["scopes"]),
        models=models,
        expires_at=None if days == "never" else time.time() + int(days) * _DAY,
    )


def _form(asked: Asked, given: dict[str, Any], *, wrong: GatewayError | None = None) -> Response:
    return asked.render(
        "key_form.html",
        status=200 if wrong is None else 422,
        given={"name": "", "restrict": "", "models": "", **given},
        wrong=None if wrong is None else wrong.param,
        problem=None if wrong is None else wrong.message,
        scopes=[name for name in PERMISSIONS if name in asked.principal.scopes],
        usual=MAKE_CALLS,
        lifetimes=LIFETIMES,
        form=asked.new_form(),
    )


def _once(asked: Asked, row: ApiKey, key: str) -> Response:
    url = f"{asked.desk.sessions.rules.public_url}/v1"
    return asked.render("key_made.html", row=row, key=key, base_url=url)
