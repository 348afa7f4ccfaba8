"""Tokens, keys and sessions in one gateway: each authenticator leaves to the others what is theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.app import Gateway
from gateway.identity import Actor
from gateway.identity.people import Client, Proof
from gateway.store.keys import create_key

from .oidc import AUDIENCE, Provider

CHAT: dict[str, Any] = {"model": "mock/echo", "messages": [{"role": "user", "content": "Hello?"}]}


@pytest.mark.parametrize("order", [("jwt", "apikey"), ("apikey", "jwt")])
async def test_a_chain_of_authenticators(
    issuer: Provider, tmp_path: Path, migrated: Path, order: tuple[str, str]
):
    (tmp_path / "gateway.db").write_bytes(migrated.read_bytes())
    corp = {"issuer": issuer.url, "audience": AUDIENCE}
    settings: dict[str, Any] = {"jwt": {"issuers": {"corp": corp}}, "apikey": {}}
    core = {"database": f"sqlite:///{tmp_path / 'gateway.db'}", "identity": {"sign_up": "open"}}
    gateway = Gateway.from_dict(
        {"gateway": core, "auth": {name: settings[name] for name in order}, "provider": {"mock": {}}}
    )
    async with gateway.lifespan(), gateway.client as client:
        context = gateway.registry.plugins[0].context
        _, key = await create_key(context.database, "laptop", actor=Actor(kind="command", id="tests"))
        proof = Proof(kind="oidc", subject="i alice", label="alice")
        session = await context.sessions.sign_in(proof, method="oidc", client=Client())
        token = issuer.token(roles=["viewer"])
        for credential, authenticator in ((token, "jwt"), (key, "apikey"), (session.access, "session")):
            headers = {"authorization": f"Bearer {credential}"}
            answer = await client.post("/v1/chat/completions", json=CHAT, headers=headers)
            assert answer.status_code == 200, answer.text
            me = (await client.get("/admin/api/me", headers=headers)).json()
            assert authenticator in me["authenticator"]
        me = (await client.get("/admin/api/me", headers={"authorization": f"Bearer {token}"})).json()
        assert (me["user"], me["tenant"], me["roles"]) == ("corp:alice", "default", ["viewer"])
        assert {"calls.read", "calls.make"} <= set(me["permissions"])
        listed = await client.get("/admin/api/calls", headers={"authorization": f"Bearer {token}"})
        assert "corp:alice" in listed.text
        for forged in (token[:-6] + "AAAAAA", token.replace(".", "x", 1), key + ".a.b", "gs_" + token):
            refused = await client.post(
                "/v1/chat/completions", json=CHAT, headers={"authorization": f"Bearer {forged}"}
            )
            assert refused.status_code == 401, forged
            assert forged not in refused.text
        wrong = await client.post(
            "/v1/chat/completions", json=CHAT, headers={"authorization": f"Bearer {token[:-6]}AAAAAA"}
        )
        assert wrong.headers["www-authenticate"] == 'Bearer error="invalid_token"'
