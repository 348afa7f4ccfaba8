"""A component registers with a ticket and its key, and then calls through a real gateway."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway import Gateway
from gateway.sdk.signing import Signer
from gateway.store import Database
from gateway.store.components import REGISTRATION, NewComponent
from gateway.store.tickets import Tickets

URL = "http://localhost/v1/chat/completions"
BODY = b'{"model": "mock/echo", "messages": [{"role": "user", "content": "hi"}]}'


@pytest.fixture
async def gateway(tmp_path: Path):
    config: dict[str, Any] = {
        "gateway": {"database": f"sqlite:///{tmp_path}/gateway.db"},
        "auth": {"component": {}},
        "provider": {"mock": {}},
    }
    gateway = Gateway.from_dict(config)
    async with gateway.lifespan():
        yield gateway


async def ticket(gateway: Gateway, tmp_path: Path, seconds: float = 60) -> str:
    database = Database(f"sqlite:///{tmp_path}/gateway.db")
    new = NewComponent(tenant="acme", name="billing", models=("mock/*",))
    try:
        return await Tickets(database, REGISTRATION).issue(msgspec.to_builtins(new), seconds=seconds)
    finally:
        await database.close()


def answer(key: Ed25519PrivateKey, text: str) -> str:
    return base64.urlsafe_b64encode(key.sign(text.encode())).decode().rstrip("=")


async def post(client: Any, step: str, **fields: str) -> Any:
    return await client.post(f"/components/{step}", json=fields)


async def test_from_a_ticket_to_a_call(gateway: Gateway, tmp_path: Path):
    key = Ed25519PrivateKey.generate()
    signer = Signer(key)
    async with gateway.client as client:
        asked = (
            await post(client, "challenge", ticket=await ticket(gateway, tmp_path), did=signer.key_id)
        ).json()
        done = await post(
            client, "register", challenge=asked["challenge"], signature=answer(key, asked["sign"])
        )
        assert done.status_code == 201
        assert done.json()["tenant"] == "acme"
        headers = signer.headers("POST", URL, BODY, {"content-type": "application/json"})
        response = await client.post(URL, content=BODY, headers=headers)
        assert response.status_code == 200, response.text
        assert (await client.post(URL, content=BODY, headers=headers)).status_code == 401


async def test_what_does_not_register(gateway: Gateway, tmp_path: Path):
    key, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    did = Signer(key).key_id
    async with gateway.client as client:
        assert (await post(client, "challenge", ticket="guessed", did=did)).status_code == 401
        token = await ticket(gateway, tmp_path)
        assert (await post(client, "challenge", ticket=token, did="did:web:acme.example")).status_code == 400
        assert (await post(client, "challenge", ticket=token)).status_code == 400
        asked = (await post(client, "challenge", ticket=token, did=did)).json()
        wrong = answer(other, asked["sign"])
        assert (
            await post(client, "register", challenge=asked["challenge"], signature=wrong)
        ).status_code == 401
        # A challenge is good for one attempt; the ticket still for another.
        right = answer(key, asked["sign"])
        again = await post(client, "register", challenge=asked["challenge"], signature=right)
        assert again.status_code == 401
        first, second = [(await post(client, "challenge", ticket=token, did=did)).json() for _ in range(2)]
        done = await post(
            client, "register", challenge=first["challenge"], signature=answer(key, first["sign"])
        )
        assert done.status_code == 201
        late = await post(
            client, "register", challenge=second["challenge"], signature=answer(key, second["sign"])
        )
        assert late.status_code == 401
        assert (await client.post("/components/register", content=b"x" * 5000)).status_code == 413
