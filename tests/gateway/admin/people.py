"""Callers for tests: `Authorization: Test TENANT USER PERMISSION…`, believed as it stands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gateway import Gateway
from gateway.identity.permissions import ROLES, permissions_of
from gateway.plugin import Plugin, PluginConfig, hookimpl
from gateway.protocols import Authenticator, Incoming
from gateway.types import Principal

CONFIG: dict[str, Any] = {"provider": {"mock": {}}, "auth": {"people": {}}}


class People(Plugin[PluginConfig]):
    """Believes everybody."""

    id = "auth.people"

    @hookimpl
    def register_authenticators(self) -> Sequence[Authenticator]:
        return (self,)

    async def authenticate(self, incoming: Incoming) -> Principal | None:
        scheme, *words = incoming.headers.get(b"authorization", b"-").decode().split()
        if scheme != "Test":
            return None
        tenant, user, *granted = words
        scopes: set[str] = set()
        for word in granted:
            scopes |= permissions_of(word, operator=tenant == "default") if word in ROLES else {word}
        return Principal(
            tenant=tenant,
            authenticator="people",
            user=user,
            session=f"ses_{user}",
            roles=frozenset(word for word in granted if word in ROLES),
            scopes=frozenset(scopes),
        )


def signed_in(tenant: str = "default", user: str = "usr_ann", *granted: str) -> dict[str, str]:
    """The header of somebody with these roles and permissions."""
    return {"authorization": " ".join(["Test", tenant, user, *(granted or ("owner",))])}


def new_gateway(folder: Path) -> Gateway:
    """A gateway with a database in that folder."""
    config: dict[str, Any] = {
        **CONFIG,
        "gateway": {"database": f"sqlite:///{folder / 'gateway.db'}"},
        "models": {"fast": {"targets": ["mock:echo"]}},
    }
    return Gateway.from_dict(config, plugins=[People])
