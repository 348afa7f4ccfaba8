"""Whatever somebody began is over after five minutes; here at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import update
from starlette.testclient import TestClient

from gateway import Gateway
from gateway.sdk.did import did_of_key, prove
from gateway.store.identity_tables import tickets

from .authenticator import Authenticator
from .browser import ORIGIN, Browser, refusal
from .did_wallet import DidWallet
from .ethereum_wallet import EthereumWallet
from .test_did_connect import Scene


@pytest.fixture
def expire(client: TestClient, gateway: Gateway) -> Callable[[], None]:
    async def at_once() -> None:
        async with gateway._context.database.begin() as connection:
            await connection.execute(update(tickets).values(expires_at=1.0))

    def expire() -> None:
        assert client.portal is not None
        client.portal.call(at_once)

    return expire


def test_passkeys(browser: Browser, expire: Callable[[], None]) -> None:
    options = browser.post("/sign-in/passkey/register/options").json()["publicKey"]
    expire()
    credential = Authenticator().create(options)
    refusal(browser.post("/sign-in/passkey/register", {"credential": credential}), 401)


def test_ethereum(browser: Browser, expire: Callable[[], None]) -> None:
    wallet = EthereumWallet(90)
    message = browser.post("/sign-in/siwe/message", {"address": wallet.address}).json()["message"]
    expire()
    refusal(browser.post("/sign-in/siwe", {"message": message, "signature": wallet.sign(message)}), 401)


def test_did_key(program: Browser, expire: Callable[[], None]) -> None:
    key = Ed25519PrivateKey.generate()
    challenge = program.post("/sign-in/did/challenge", {"did": did_of_key(key)}).json()["challenge"]
    expire()
    proof = prove(key, challenge=challenge, audience=ORIGIN)
    refusal(program.post("/sign-in/did/verify", {"proof": proof}), 401)


def test_did_connect(browser: Browser, program: Browser, expire: Callable[[], None]) -> None:
    scene = Scene(browser, program)
    challenge = scene.fetch()["challenge"]
    expire()
    assert scene.send(DidWallet(91).answer(challenge))["status"] == "error"
    refusal(scene.status(), 400)
