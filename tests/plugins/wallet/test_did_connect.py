"""A DID Wallet signs in the browser that shows the code, and nobody else."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import AuthenticationFailed, GatewayError
from gateway.sdk.did_abt import abt_did
from gateway_wallet.abt import App, is_of_key, verified

from .browser import ORIGIN, Browser, both, refusal
from .did_wallet import DidWallet, read

VECTORS = json.loads((Path(__file__).parent / "vectors" / "arcblock_jwt.json").read_text(encoding="utf-8"))


class Scene:
    """A browser that shows a code, and the request that a wallet gets for it."""

    def __init__(self, browser: Browser, wallet: Browser, **asked: Any) -> None:
        self.browser, self._wallet = browser, wallet
        begun = browser.post("/api/did/login/token", asked)
        assert begun.status_code == 200, begun.text
        self.begun = begun.json()
        self.path = f"/api/did/login/auth?_t_={self.begun['token']}"

    def fetch(self) -> dict[str, Any]:
        """Scan the code."""
        return read(self._wallet.get(self.path).json())

    def send(self, answer: dict[str, str]) -> dict[str, Any]:
        """Answer the request."""
        return read(self._wallet.post(self.path, answer).json())

    def status(self, browser: Browser | None = None) -> Any:
        return (browser or self.browser).get(f"/api/did/login/status?_t_={self.begun['token']}")


@pytest.fixture
def scene(browser: Browser, program: Browser) -> Scene:
    return Scene(browser, program)


@both
@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_a_wallet_signs_in(browser: Browser, program: Browser, version: str) -> None:
    scene, wallet = Scene(browser, program), DidWallet(50, version=version)
    assert scene.status().json() == {"status": "created"}
    request = scene.fetch()
    assert scene.status().json() == {"status": "scanned"}
    (claim,) = request["requestedClaims"]
    assert claim["type"] == "authPrincipal"
    assert len(request["challenge"]) == 32
    assert request["challenge"] == request["challenge"].upper()
    assert request["url"] == f"{ORIGIN}{scene.path}"
    assert request["appInfo"]["name"] == "Example"
    assert request["appInfo"]["publisher"] == request["iss"]
    assert scene.send(wallet.answer(request["challenge"]))["status"] == "ok"
    assert scene.status().json() == {"status": "succeed"}
    assert browser.session
    assert browser.subjects() == [wallet.did]
    assert "took too long, or is over" in refusal(scene.status(), 400), "the session is handed out once"


def test_the_browser_gets_a_link_and_a_code(scene: Scene) -> None:
    begun = scene.begun
    assert begun["status"] == "created"
    assert len(bytes.fromhex(begun["token"])) == 16
    assert scene.browser.cookies["__Host-gateway_did-connect"]
    link = urlsplit(str(begun["url"]))
    assert (link.scheme, link.netloc, link.path) == ("https", "abtwallet.io", "/i/")
    fields = parse_qs(link.query)
    assert fields["action"] == ["requestAuth"]
    assert unquote(fields["url"][0]) == f"{ORIGIN}{scene.path}"
    picture = scene.browser.get(f"/api/did/login/qr?_t_={begun['token']}")
    assert picture.headers["content-type"] == "image/svg+xml"
    assert ET.fromstring(picture.text).tag.endswith("svg")
    refusal(scene.browser.get("/api/did/login/qr?_t_=00"), 400)


def test_the_session_goes_to_the_browser_that_began(
    scene: Scene, new_browser: Callable[[], Browser], program: Browser
) -> None:
    thief = new_browser()
    own = Scene(thief, program)
    scene.send(DidWallet(51).answer(scene.fetch()["challenge"]))
    assert "another browser" in refusal(scene.status(thief), 403)
    refusal(thief.get(f"/api/did/login/timeout?_t_={scene.begun['token']}"), 403)
    assert thief.session is None
    assert own.status().json() == {"status": "created"}
    assert scene.status().json() == {"status": "succeed"}


@both
def test_an_answer_counts_once(scene: Scene) -> None:
    answer = DidWallet(52).answer(scene.fetch()["challenge"])
    assert scene.send(answer)["status"] == "ok"
    for again in (answer, DidWallet(53).answer("0" * 32)):
        assert scene.send(again)["status"] == "error"
    assert scene.status().json() == {"status": "succeed"}
    assert scene.browser.subjects() == [DidWallet(52).did]


def test_an_answer_is_for_one_request(browser: Browser, program: Browser) -> None:
    one, other = Scene(browser, program), Scene(browser, program)
    answer = DidWallet(54).answer(one.fetch()["challenge"])
    assert "another challenge" in other.send(answer)["errorMessage"]
    assert other.status().json() == {"status": "created"}


def test_the_owner_may_decline(scene: Scene) -> None:
    scene.send(DidWallet(55).answer(scene.fetch()["challenge"], "declineAuth"))
    told = scene.status().json()
    assert told == {"status": "error", "error": "You have declined in your wallet."}
    assert scene.browser.session is None


def test_a_busy_wallet_may_answer_later(scene: Scene) -> None:
    challenge = scene.fetch()["challenge"]
    scene.send(DidWallet(56).answer(challenge, "busy"))
    assert scene.status().json() == {"status": "busy"}
    scene.send(DidWallet(56).answer(challenge))
    assert scene.status().json() == {"status": "succeed"}


def test_the_browser_may_give_up(scene: Scene) -> None:
    token = scene.begun["token"]
    assert scene.browser.get(f"/api/did/login/timeout?_t_={token}").json() == {"token": token}
    assert scene.fetch()["status"] == "error"


Forge = Callable[[DidWallet, str], dict[str, str]]

FORGED: dict[str, Forge] = {
    "another's key": lambda w, c: {**w.answer(c), "userPk": DidWallet(58).user_pk},
    "another's DID": lambda w, c: w.answer(c, iss=DidWallet(58).did),
    "no DID": lambda w, c: w.answer(c, iss="did:abt:z1"),
    "DID of another method": lambda w, c: w.answer(
        c, iss="did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
    ),
    "expired": lambda w, c: w.answer(c, exp=str(int(time.time()) - 10)),
    "issued in the future": lambda w, c: w.answer(c, iat=str(int(time.time()) + 60)),
    "not valid yet": lambda w, c: w.answer(c, nbf=str(int(time.time()) + 60)),
    "no expiry": lambda w, c: w.answer(c, exp=""),
    "no number": lambda w, c: w.answer(c, exp="1e99"),
    "version changed": lambda w, c: {**w.answer(c), "userInfo": downgraded(w, c)},
    "no algorithm": lambda w, c: with_header(w, c, {"alg": "none", "type": "JWT"}),
    "another algorithm": lambda w, c: with_header(w, c, {"alg": "ES256K", "type": "JWT"}),
    "algorithm as a list": lambda w, c: with_header(w, c, {"alg": ["Ed25519"], "type": "JWT"}),
    "no signature": lambda w, c: {
        **w.answer(c),
        "userInfo": w.answer(c)["userInfo"].rpartition(".")[0] + ".",
    },
    "no token": lambda w, c: {**w.answer(c), "userInfo": "nothing"},
    "no key": lambda w, _: {"userPk": "0", "userInfo": w.signed()},
    "nothing": lambda _, __: {},
}


def with_header(wallet: DidWallet, challenge: str, header: dict[str, Any]) -> dict[str, str]:
    return {
        "userPk": wallet.user_pk,
        "userInfo": wallet.signed(header, action="responseAuth", challenge=challenge),
    }


def downgraded(wallet: DidWallet, challenge: str) -> str:
    """Keep the signature over the digest, but say that it is over the bytes."""
    wallet.version = "1.1.0"
    head, _, signature = wallet.answer(challenge)["userInfo"].rpartition(".")
    wallet.version = "1.0.0"
    return wallet.answer(challenge)["userInfo"].rpartition(".")[0] + "." + signature if head else ""


@pytest.mark.parametrize("name", FORGED)
def test_forged_answers_are_refused(scene: Scene, name: str) -> None:
    challenge = scene.fetch()["challenge"]
    told = scene.send(FORGED[name](DidWallet(57), challenge))
    assert told["status"] == "error"
    assert told["errorMessage"]
    assert scene.status().json() == {"status": "scanned"}
    assert scene.browser.session is None
    assert scene.send(DidWallet(57).answer(challenge))["status"] == "ok", "whose code it is may still answer"


def test_forms_and_hex_keys_are_read(scene: Scene, client: Any) -> None:
    wallet = DidWallet(59)
    answer = {**wallet.answer(scene.fetch()["challenge"]), "userPk": "0x" + wallet.public.hex()}
    told = read(client.post(scene.path, data=answer).json())
    assert told["status"] == "ok"


def test_wallets_that_are_web_pages_may_ask(scene: Scene, client: Any) -> None:
    response = client.options(scene.path, headers={"origin": "https://web.abtwallet.io"})
    assert response.status_code == 204
    assert client.get(scene.path).headers["access-control-allow-origin"] == "*"
    status = client.get(f"/api/did/login/status?_t_={scene.begun['token']}")
    assert "access-control-allow-origin" not in status.headers


@both
def test_a_wallet_is_added_to_who_is_signed_in(browser: Browser, program: Browser) -> None:
    first, second = DidWallet(60), DidWallet(61)
    for wallet, asked in ((first, {}), (second, {"add": True})):
        scene = Scene(browser, program, **asked)
        scene.send(wallet.answer(scene.fetch()["challenge"]))
        told = scene.status().json()
        assert told["status"] == "succeed"
        browser.signed_in()
    assert browser.subjects() == [first.did, second.did]


def test_a_wallet_of_anothers_is_refused(
    browser: Browser, program: Browser, new_browser: Callable[[], Browser]
) -> None:
    other = new_browser()
    for who, wallet in ((browser, DidWallet(62)), (other, DidWallet(63))):
        scene = Scene(who, program)
        scene.send(wallet.answer(scene.fetch()["challenge"]))
        assert scene.status().status_code == 200
        who.signed_in()
    scene = Scene(other, program, add=True)
    scene.send(DidWallet(62).answer(scene.fetch()["challenge"]))
    assert "belongs to an account already" in refusal(scene.status(), 409)
    assert other.subjects() == [DidWallet(63).did]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v['did'][8:12]}-{v['version']}")
def test_what_the_packages_of_real_wallets_sign_is_read(vector: dict[str, str]) -> None:
    for key in (vector["public_key"], vector["public_key_base58"]):
        did, said = verified(vector["token"], key, now=1_700_000_100)
        assert did == vector["did"]
        assert said["action"] == "responseAuth"
    with pytest.raises(AuthenticationFailed, match="expired"):
        verified(vector["token"], vector["public_key"], now=time.time())
    head, _, signature = vector["token"].rpartition(".")
    with pytest.raises(GatewayError):
        verified(f"{head}.A{signature[1:]}", vector["public_key"], now=1_700_000_100)


def test_the_application_is_the_one_that_those_packages_would_make() -> None:
    application = next(vector for vector in VECTORS if vector["did"].startswith("did:abt:zNK"))
    for secret in (application["seed"], application["seed"][2:] + application["public_key"][2:]):
        app = App(secret)
        assert app.did == application["did"]
        assert app.public_key == application["public_key_base58"]


def test_the_example_of_the_specification() -> None:
    key = bytes.fromhex("E4852B7091317E3622068E62A5127D1FB0D4AE2FC50213295E10652D2F0ABFC7")
    did = "did:abt:zNKtCNqYWLYWYW3gWRA1vnRykfCBZYHZvzKr"
    assert "did:abt:" + abt_did(key, b"\x0c\x01") == did
    assert is_of_key(did, key)
    assert not is_of_key(did, bytes(32))
    assert not is_of_key(did[:-1] + "s", key)
    assert not is_of_key("did:abt:" + abt_did(key, b"\x0c\x21"), key), (
        "the DID says that the key is of secp256k1"
    )


@settings(max_examples=60)
@given(at=st.integers(0, len(VECTORS[1]["token"]) - 1), other=st.sampled_from("Aa0-_.=Zz"))
def test_each_character_of_a_token_counts(at: int, other: str) -> None:
    vector = VECTORS[1]
    changed = vector["token"][:at] + other + vector["token"][at + 1 :]
    if changed != vector["token"]:
        with pytest.raises(GatewayError):
            verified(changed, vector["public_key"], now=1_700_000_100)
