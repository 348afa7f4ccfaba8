"""`gateway users`: invite people, change what they may do, erase them. Works on the database."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import config_of, json_option
from gateway.cli.times import Duration, rfc3339
from gateway.cli.welcome import show_link
from gateway.cli.work import on_database
from gateway.commands import command_actor
from gateway.shown import print_fields, print_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.identity.roles import Grants
    from gateway.store import Database
    from gateway.store.memberships import Member
    from gateway.store.users import User

_USER = click.argument("user", metavar="USER")
_TENANT = click.option("--tenant", default="default", show_default=True, help="In which tenant.")
_DAY = 86_400


@click.group()
def users() -> None:
    """Invite people, change their roles, disable and erase them. USER is an id or an e-mail address."""


@users.command("list")
@click.option("--tenant", help="Only the members of this tenant, with their roles.")
@json_option
@click.pass_context
def list_(ctx: click.Context, tenant: str | None, as_json: bool) -> None:
    """List users. With --json one object per line."""
    from gateway.store.memberships import list_members
    from gateway.store.users import list_users

    async def work(database: Database) -> list[dict[str, Any]]:
        if tenant is None:
            return [_record(user) for user in await list_users(database)]
        return [_of_member(member) for member in await list_members(database, tenant)]

    print_rows(
        on_database(ctx, work),
        as_json=as_json,
        none="No users yet. Make a link for the owner: gateway users owner-link",
    )


@users.command()
@_TENANT
@click.option("--role", default="member", show_default=True, help="What they will be there.")
@click.option("--email", help="Only who has proved to have this address may accept.")
@click.option(
    "--expires", type=Duration(), default="7d", show_default=True, help="How long the link is good."
)
@json_option
@click.pass_context
def invite(
    ctx: click.Context, tenant: str, role: str, email: str | None, expires: float, as_json: bool
) -> None:
    """Make a link by which one person joins a tenant. It is shown once."""
    from gateway.store.invitations import Invitation, link_of
    from gateway.store.invitations import invite as issue
    from gateway.store.tenants import get_tenant

    async def work(database: Database) -> tuple[Invitation, str]:
        await get_tenant(database, tenant)
        await _grants(ctx, database, tenant).check(role)
        return await issue(database, tenant, role, email=email, days=expires / _DAY, actor=command_actor())

    row, token = on_database(ctx, work)
    link = link_of(config_of(ctx).settings.identity.public_url, token)
    if as_json:
        ends = rfc3339(row.expires_at)
        click.echo(
            json.dumps({"id": row.id, "tenant": tenant, "role": role, "expires_at": ends, "link": link})
        )
        return
    click.echo(f"Invitation {row.id} to {tenant} as {role}, until {rfc3339(row.expires_at)}:\n")
    click.secho(f"  {link}\n", bold=True)


@users.command()
@_USER
@json_option
@click.pass_context
def show(ctx: click.Context, user: str, as_json: bool) -> None:
    """Show a user, and their role in each tenant."""
    from gateway.store.memberships import roles_of
    from gateway.store.users import find_user

    async def work(database: Database) -> tuple[User, Mapping[str, str]]:
        found = await find_user(database, user)
        async with database.connect() as connection:
            return found, await roles_of(connection, found.id)

    found, roles = on_database(ctx, work)
    print_fields({**_record(found), "roles": roles}, as_json=as_json)


@users.command()
@_USER
@click.argument("role")
@_TENANT
@click.pass_context
def role(ctx: click.Context, user: str, role: str, tenant: str) -> None:
    """Give a member of a tenant another role. ROLE is owner, admin, member, billing, viewer or one of the tenant's own."""
    from gateway.store.users import find_user

    async def work(database: Database) -> Member:
        found = await find_user(database, user)
        return await _grants(ctx, database, tenant).change_member(found.id, role)

    member = on_database(ctx, work)
    click.echo(f"{member.user} ({member.name}) is {member.role} of {tenant}.")


@users.command()
@_USER
@_TENANT
@click.pass_context
def remove(ctx: click.Context, user: str, tenant: str) -> None:
    """Take a user out of a tenant."""
    from gateway.store.users import find_user

    async def work(database: Database) -> None:
        found = await find_user(database, user)
        await _grants(ctx, database, tenant).remove_member(found.id)

    on_database(ctx, work)
    click.echo(f"{user} is no longer of {tenant}.")


@users.command()
@_USER
@click.option("--undo", is_flag=True, help="Let them in again.")
@click.pass_context
def disable(ctx: click.Context, user: str, undo: bool) -> None:
    """Let a user in no more, in any tenant. Their sessions and keys stop within a second."""
    from gateway.store.users import disable_user, find_user

    async def work(database: Database) -> User:
        found = await find_user(database, user)
        return await disable_user(database, found.id, disabled=not undo, actor=command_actor())

    found = on_database(ctx, work)
    click.echo(f"{found.id} ({found.name}) is {found.state}.")


@users.command()
@_USER
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def erase(ctx: click.Context, user: str, yes: bool) -> None:
    """Erase a user for good. Name, address, ways to sign in and keys go, and what is personal in their calls."""
    from gateway.store.erasure import Erased, erase_user
    from gateway.store.users import find_user

    if not yes:
        click.confirm(f"Erase the user {user!r}? Nothing brings them back.", abort=True)

    async def work(database: Database) -> Erased:
        found = await find_user(database, user)
        return await erase_user(database, found.id, actor=command_actor())

    done = on_database(ctx, work)
    click.echo(f"Erased {user}; and what was personal in {done.calls} calls.")


@users.command("owner-link")
@json_option
@click.pass_context
def owner_link(ctx: click.Context, as_json: bool) -> None:
    """Make a link that signs the owner in. It is good once, within an hour; without any user yet, the owner is made too."""
    from gateway.errors import InvalidRequest
    from gateway.identity.owner import ensure_owner, first_owner, sign_in_link

    identity = config_of(ctx).settings.identity

    async def work(database: Database) -> tuple[str, str]:
        await ensure_owner(database, identity.operator_tenant)
        owner = await first_owner(database, identity.operator_tenant)
        if owner is None:
            raise InvalidRequest(
                f"The tenant {identity.operator_tenant!r} has no owner. Invite one: "
                f"gateway users invite --tenant {identity.operator_tenant} --role owner"
            )
        link = await sign_in_link(database, owner, base_url=identity.public_url, actor=command_actor())
        return owner, link

    owner, link = on_database(ctx, work)
    if as_json:
        click.echo(json.dumps({"user": owner, "link": link}))
    else:
        show_link(link, owner)


def _grants(ctx: click.Context, database: Database, tenant: str) -> Grants:
    """What the operator may grant: everything."""
    from gateway.identity.roles import Grants

    operator = config_of(ctx).settings.identity.operator_tenant
    return Grants(database, tenant, held=None, operator_tenant=operator, actor=command_actor())


def _record(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "name": user.name,
        "email": user.email,
        "email_verified": user.email_verified,
        "state": user.state,
        "created_at": rfc3339(user.created_at),
    }


def _of_member(member: Member) -> dict[str, Any]:
    return {
        "user": member.user,
        "name": member.name,
        "email": member.email,
        "role": member.role,
        "state": "active" if member.disabled_at is None else "disabled",
        "created_at": rfc3339(member.created_at),
    }
