from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from gateway import Plugin
from gateway.identity import Actor
from gateway.identity.people import Client, Proof, SignedIn
from gateway.sdk.did_key import did_of
from gateway.store.invitations import invite
from gateway.testing.contracts import AuthContract
from gateway_wallet import Wallet

OWNER = Actor(kind="command", id="contract")


class TestWallet(AuthContract):
    plugin = Wallet

    def config(self) -> Mapping[str, Any]:
        return {"app_secret": "5a" * 32}

    async def signed_in(self, plugin: Plugin[Any]) -> SignedIn:
        """Come in as somebody new, who is invited."""
        database = plugin.context.database
        _, invitation = await invite(database, "default", "member", actor=OWNER)
        proof = Proof(kind="did", subject=did_of(os.urandom(32)), label="agent")
        return await plugin.context.sessions.sign_in(
            proof, method="did-key", client=Client(), invitation=invitation
        )

    async def good(self, plugin: Plugin[Any]) -> Mapping[str, str]:
        return {"authorization": f"Bearer {(await self.signed_in(plugin)).access}"}

    async def bad(self, plugin: Plugin[Any]) -> Sequence[Mapping[str, str]]:
        revoked = await self.signed_in(plugin)
        sessions = plugin.context.sessions
        await sessions.revoke(revoked.session.id, user=revoked.session.user, actor=OWNER)
        return [
            {"authorization": "Bearer gs_not-a-real-session"},
            {"authorization": f"Bearer {revoked.access}"},
            {"cookie": "gateway_session=gs_not-a-real-session"},
        ]
