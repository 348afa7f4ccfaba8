from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway import Plugin
from gateway.identity import Actor
from gateway.sdk.signing import Signer
from gateway.store.components import NewComponent, create_component, delete_component
from gateway.testing.contracts import AuthContract
from gateway.testing.contracts.auth import BODY, URL
from gateway_component import Component

ACTOR = Actor(kind="command", id="test")


class TestComponent(AuthContract):
    plugin = Component

    def config(self) -> dict[str, Any]:
        return {"authorities": ["gateway"]}

    async def good(self, plugin: Plugin[Any]) -> Mapping[str, str]:
        return sign(await registered(plugin))

    async def bad(self, plugin: Plugin[Any]) -> Sequence[Mapping[str, str]]:
        signer = await registered(plugin)
        removed = await registered(plugin, remove=True)
        other = sign(signer)
        return [
            {**sign(signer), "signature": other["signature"]},
            sign(Signer(Ed25519PrivateKey.generate())),
            sign(removed),
            {**sign(signer), "content-type": "text/plain"},
            {**sign(signer), "signature-input": other["signature-input"]},
        ]


def sign(signer: Signer) -> Mapping[str, str]:
    return signer.headers("POST", URL, BODY, {"content-type": "application/json"})


async def registered(plugin: Plugin[Any], *, remove: bool = False) -> Signer:
    """Register a component with a new key, and wait until the plugin knows it; perhaps remove it again."""
    key, database = Ed25519PrivateKey.generate(), plugin.context.database
    signer = Signer(key)
    public_key = key.public_key().public_bytes_raw()
    new = NewComponent(tenant="default", name="contract")
    row = await create_component(database, new, "rfc9421", signer.key_id, public_key, actor=ACTOR)
    await plugin.context.changes.look()
    if remove:
        await delete_component(database, "default", row.id, actor=ACTOR)
        await plugin.context.changes.look()
    return signer
