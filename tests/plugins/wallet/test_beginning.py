"""Every way to begin costs a place: an address has so many a minute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from gateway import Gateway

from .browser import CONFIG, ORIGIN

DID = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
WAYS: list[tuple[str, dict[str, Any]]] = [
    ("/sign-in/passkey/options", {}),
    ("/sign-in/passkey/register/options", {}),
    ("/sign-in/siwe/message", {}),
    ("/sign-in/did/challenge", {"did": DID}),
    ("/api/did/login/token", {}),
]


def test_an_address_begins_so_many(tmp_path: Path) -> None:
    core = {
        "database": f"sqlite:///{tmp_path / 'gateway.db'}",
        "identity": {**CONFIG["gateway"]["identity"], "sign_ins_per_minute": len(WAYS)},
    }
    gateway = Gateway.from_dict({**CONFIG, "gateway": core})
    with TestClient(gateway, base_url=ORIGIN, client=("192.0.2.7", 5000)) as client:

        def begin(way: tuple[str, dict[str, Any]]) -> Any:
            return client.post(way[0], json=way[1], headers={"origin": ORIGIN})

        assert [begin(way).status_code for way in WAYS] == [200] * len(WAYS)
        for way in WAYS:
            refused = begin(way)
            assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_sign_ins")
            assert "retry-after" in refused.headers
        assert client.get("/api/did/login/token").status_code == 429
