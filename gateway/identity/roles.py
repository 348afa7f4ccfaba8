"""Who may give which role to whom: nobody gives, or takes away, more than they have themselves."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from gateway.errors import InvalidRequest, PermissionDenied
from gateway.identity.permissions import PERMISSIONS, ROLES, permissions_of
from gateway.store import memberships, roles, service_accounts

if TYPE_CHECKING:
    from gateway.store import Database
    from gateway.store.audit import Actor
    from gateway.store.changes import Expected
    from gateway.store.memberships import Member
    from gateway.store.roles import Role
    from gateway.store.service_accounts import ServiceAccount


class Grants:
    """Changes of roles in one tenant, by somebody with the permissions `held`; None for the operator's commands."""

    def __init__(
        self,
        database: Database,
        tenant: str,
        *,
        held: Collection[str] | None,
        operator_tenant: str,
        actor: Actor,
    ) -> None:
        self._database = database
        self._tenant = tenant
        self._held = None if held is None else frozenset(held)
        self._operator = tenant == operator_tenant
        self._actor = actor

    async def permissions(self, role: str) -> frozenset[str]:
        """The permissions of a role in the tenant. Raises `InvalidRequest` when there is none of that name."""
        custom = None
        if role not in ROLES:
            async with self._database.connect() as connection:
                found = await roles.custom_role(connection, self._tenant, role)
            if found is None:
                raise InvalidRequest(f"There is no role {role!r} in this tenant.", param="role")
            custom = found.permissions
        return permissions_of(role, operator=self._operator, custom=custom)

    async def check(self, role: str) -> None:
        """Refuse to give or take a role that may do more than the actor. Raises `PermissionDenied`."""
        self._check(await self.permissions(role), f"the role {role!r}")

    async def create_role(self, name: str, *, description: str, permissions: Collection[str]) -> Role:
        """Make a role of the tenant's own. Raises `InvalidRequest`, `PermissionDenied`."""
        if name in ROLES:
            raise InvalidRequest(
                f"Every tenant has a role {name!r}.", status=409, code="conflict", param="name"
            )
        self._check_custom(permissions)
        return await roles.create_role(
            self._database,
            self._tenant,
            name,
            description=description,
            permissions=permissions,
            actor=self._actor,
        )

    async def change_role(
        self,
        name: str,
        *,
        description: str | None = None,
        permissions: Collection[str] | None = None,
        expected: Expected = None,
    ) -> Role:
        """Change a role of the tenant's own that may do no more than the actor, before and after."""
        await self._check_present(name)
        if permissions is not None:
            self._check_custom(permissions)
        return await roles.change_role(
            self._database,
            self._tenant,
            name,
            description=description,
            permissions=permissions,
            actor=self._actor,
            expected=expected,
        )

    async def delete_role(self, name: str, *, expected: Expected = None) -> None:
        """Delete a role of the tenant's own that may do no more than the actor."""
        await self._check_present(name)
        await roles.delete_role(self._database, self._tenant, name, actor=self._actor, expected=expected)

    async def change_member(self, user: str, role: str, *, expected: Expected = None) -> Member:
        """Give a member another role. Raises `InvalidRequest`, `PermissionDenied`."""
        await self.check(role)
        present = await memberships.get_member(self._database, self._tenant, user)
        await self.check(present.role)
        return await memberships.change_member(
            self._database,
            self._tenant,
            user,
            role,
            may=_still(present.role),
            actor=self._actor,
            expected=expected,
        )

    async def remove_member(self, user: str, *, expected: Expected = None) -> None:
        """Take a member out of the tenant. Raises `InvalidRequest`, `PermissionDenied`."""
        present = await memberships.get_member(self._database, self._tenant, user)
        await self.check(present.role)
        await memberships.remove_member(
            self._database,
            self._tenant,
            user,
            may=_still(present.role),
            actor=self._actor,
            expected=expected,
        )

    async def create_service_account(self, name: str, role: str) -> ServiceAccount:
        """Create a service account. Raises `InvalidRequest`, `PermissionDenied`."""
        await self.check(role)
        return await service_accounts.create_service_account(
            self._database, self._tenant, name, role, actor=self._actor
        )

    async def change_service_account(
        self,
        id: str,
        *,
        name: str | None = None,
        role: str | None = None,
        disabled: bool | None = None,
        expected: Expected = None,
    ) -> ServiceAccount:
        """Change a service account that may do no more than the actor, before and after."""
        if role is not None:
            await self.check(role)
        present = await service_accounts.get_service_account(self._database, self._tenant, id)
        await self.check(present.role)
        return await service_accounts.change_service_account(
            self._database,
            self._tenant,
            id,
            name=name,
            role=role,
            disabled=disabled,
            may=_still(present.role),
            actor=self._actor,
            expected=expected,
        )

    async def delete_service_account(self, id: str, *, expected: Expected = None) -> None:
        """Delete a service account that may do no more than the actor, and revoke its keys."""
        present = await service_accounts.get_service_account(self._database, self._tenant, id)
        await self.check(present.role)
        await service_accounts.delete_service_account(
            self._database,
            self._tenant,
            id,
            may=_still(present.role),
            actor=self._actor,
            expected=expected,
        )

    async def _check_present(self, name: str) -> None:
        if name in ROLES:
            raise InvalidRequest(
                f"The role {name!r} is the same in all tenants.", status=409, code="conflict"
            )
        async with self._database.connect() as connection:
            found = await roles.custom_role(connection, self._tenant, name)
        if found is not None:
            self._check(found.permissions, f"the role {name!r}")

    def _check_custom(self, permissions: Collection[str]) -> None:
        for permission in permissions:
            if permission not in PERMISSIONS or permission.startswith("gateway."):
                raise InvalidRequest(
                    f"There is no permission {permission!r} that a role of one's own may hold.",
                    param="permissions",
                )
        self._check(frozenset(permissions), "this role")

    def _check(self, permissions: frozenset[str], what: str) -> None:
        beyond = frozenset[str]() if self._held is None else permissions - self._held
        if beyond:
            raise PermissionDenied(
                f"You cannot manage {what}: it may do what you may not ({', '.join(sorted(beyond)[:3])}).",
                code="beyond_own_permissions",
            )


def _still(role: str) -> Callable[[Member | ServiceAccount], None]:
    """Refuse, within the transaction, to change somebody whose role is no longer the one that was looked at."""

    def check(present: Member | ServiceAccount) -> None:
        if present.role != role:
            raise InvalidRequest(
                "Their role was changed in the meantime. Try again.", status=409, code="conflict"
            )

    return check
