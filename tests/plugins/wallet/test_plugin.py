"""What the plugin offers, what its settings must be, and what it says when its libraries are missing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from gateway import Gateway
from gateway.errors import ConfigError, PluginError


def gateway(**settings: Any) -> Gateway:
    return Gateway.from_dict({"auth": {"wallet": settings}})


def paths(gateway: Gateway) -> set[str]:
    found = {getattr(route, "path", "") for route in gateway.routes}
    return {path for path in found if path.startswith(("/sign-in/", "/api/did/"))}


def test_the_ways_in_use_have_buttons_and_routes() -> None:
    everything = gateway(app_secret="0x" + "5a" * 64)
    assert [way.name for way in everything._context.sign_ins] == ["passkey", "siwe", "did-connect"]
    assert {"/sign-in/passkey", "/sign-in/siwe", "/sign-in/did/verify", "/api/did/login/auth"} <= paths(
        everything
    )
    one = gateway(methods=["did-key"])
    assert one._context.sign_ins == ()
    assert paths(one) == {"/sign-in/did/challenge", "/sign-in/did/verify", "/sign-in/wallet"}


def test_each_button_has_a_script_that_is_served(client: TestClient, gateway: Gateway) -> None:
    for way in gateway._context.sign_ins:
        assert way.script is not None
        response = client.get(way.script)
        assert "javascript" in response.headers["content-type"]
        assert response.headers["cache-control"] == "no-cache"
        assert f'buttons("{way.name}")' in response.text
    assert client.get("/sign-in/wallet/icon.svg").headers["content-type"] == "image/svg+xml"
    assert client.get("/sign-in/wallet/../plugin.py").status_code == 404


@pytest.mark.parametrize("secret", ["", "short", "5a" * 31, "zz" * 32])
def test_a_secret_that_is_no_key_is_refused(secret: str) -> None:
    with pytest.raises(ConfigError) as raised:
        gateway(app_secret=secret)
    assert "app_secret" in str(raised.value)
    assert not secret or secret not in str(raised.value)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "gateway_wallet.did_connect", raising=False)
    monkeypatch.setitem(sys.modules, "segno", None)
    with pytest.raises(PluginError, match=r"'segno': pip install 'asgi-gateway\[wallet\]'"):
        gateway(app_secret="5a" * 32)


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", True), ("[::1]", True), ("localhost", False)])
async def test_passkeys_for_a_bare_address_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, host: str, warned: bool
) -> None:
    settings = {
        "database": f"sqlite:///{tmp_path / 'gateway.db'}",
        "identity": {"public_url": f"http://{host}:8080"},
    }
    async with Gateway.from_dict({"gateway": settings, "auth": {"wallet": {}}}).lifespan():
        assert ("Passkeys need a host name" in caplog.text) is warned
