"""The first page of an account, and for whom it acts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.store.keys import tenant_keys
from gateway.store.memberships import roles_of
from gateway.store.tenants import get_tenant
from gateway_console.pages import HOME

if TYPE_CHECKING:
    from starlette.responses import Response

    from gateway_console.pages import Asked


async def overview(asked: Asked) -> Response:
    """Show who one is here, and how to make the first call."""
    desk, principal = asked.desk, asked.principal
    async with desk.database.connect() as connection:
        roles = await roles_of(connection, asked.user)
    return asked.render(
        "overview.html",
        tenant=await get_tenant(desk.database, principal.tenant),
        roles=roles,
        keys=len(await tenant_keys(desk.database, principal.tenant, owner=asked.user)),
        ways=len(await desk.sessions.identities_of(asked.user)),
        sessions=len(await desk.sessions.sessions_of(asked.user)),
        public_url=desk.sessions.rules.public_url,
    )


async def switch(asked: Asked) -> Response:
    """Act for another tenant."""
    session, tenant = asked.principal.session or "", asked.form.get("tenant", "")
    await asked.desk.sessions.switch_tenant(session, tenant, user=asked.user)
    return asked.redirect(HOME, done="switched")
