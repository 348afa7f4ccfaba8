"""Passkeys: making them, signing in with them, and what a browser or an authenticator may not get away with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from gateway import Gateway

from .authenticator import BACKED_UP, ELIGIBLE, PRESENT, VERIFIED, Authenticator, b64
from .browser import CONFIG, ORIGIN, Browser, both, refusal
from .ethereum_wallet import EthereumWallet
from .test_siwe import signed_in as signed_in_with_ethereum


def creation(browser: Browser, **asked: Any) -> dict[str, Any]:
    response = browser.post("/sign-in/passkey/register/options", asked)
    assert response.status_code == 200, response.text
    return response.json()["publicKey"]


def registered(browser: Browser, authenticator: Authenticator, **asked: Any) -> Any:
    credential = authenticator.create(creation(browser, **asked))
    return browser.post("/sign-in/passkey/register", {"credential": credential, "label": "My phone"})


def request(browser: Browser) -> dict[str, Any]:
    return browser.post("/sign-in/passkey/options").json()["publicKey"]


def signed_in(browser: Browser, authenticator: Authenticator) -> Any:
    return browser.post("/sign-in/passkey", {"credential": authenticator.get(request(browser))})


@pytest.fixture
def known(browser: Browser) -> Authenticator:
    """A passkey that somebody has made an account with."""
    authenticator = Authenticator()
    assert registered(browser, authenticator, name="Ada").status_code == 200
    return authenticator


@both
def test_a_passkey_makes_an_account_and_opens_it_again(
    browser: Browser, known: Authenticator, new_browser: Callable[[], Browser]
) -> None:
    user, other = browser.signed_in(), new_browser()
    assert signed_in(other, known).json() == {"status": "succeed"}
    assert other.signed_in() == user
    assert browser.subjects() == [b64(known.id)]


def test_what_the_browser_is_asked(browser: Browser) -> None:
    asked = creation(browser, name="Ada")
    assert asked["rp"] == {"id": "gateway.example", "name": "Example"}
    assert asked["user"]["name"] == "Ada"
    assert asked["authenticatorSelection"]["residentKey"] == "required"
    assert asked["authenticatorSelection"]["userVerification"] == "preferred"
    assert asked["attestation"] == "none"
    assert -7 in [known["alg"] for known in asked["pubKeyCredParams"]]
    wanted = request(browser)
    assert wanted["rpId"] == "gateway.example"
    assert not wanted.get("allowCredentials"), "whoever holds a passkey need not say who they are first"
    assert wanted["challenge"] != request(browser)["challenge"]


@both
def test_a_second_passkey_belongs_to_the_same_account(
    browser: Browser, known: Authenticator, new_browser: Callable[[], Browser]
) -> None:
    user, second = browser.signed_in(), Authenticator()
    asked = creation(browser, add=True)
    assert [one["id"] for one in asked["excludeCredentials"]] == [b64(known.id)]
    credential = second.create(asked)
    added = browser.post("/sign-in/passkey/register", {"credential": credential})
    assert added.json()["identity"].startswith("idn_")
    assert second.handle == known.handle, "so that an authenticator knows that they belong together"
    other = new_browser()
    signed_in(other, second)
    assert other.signed_in() == user


def test_a_passkey_of_anothers_is_not_added(known: Authenticator, new_browser: Callable[[], Browser]) -> None:
    stranger = new_browser()
    registered(stranger, Authenticator())
    stranger.signed_in()
    known_again = known.create(creation(stranger, add=True))
    response = stranger.post("/sign-in/passkey/register", {"credential": known_again})
    assert "belongs to an account already" in refusal(response, 409)


def test_a_passkey_is_added_to_an_account_of_another_kind(browser: Browser) -> None:
    signed_in_with_ethereum(browser, EthereumWallet(40))
    browser.signed_in()
    passkey = Authenticator()
    registered(browser, passkey, add=True)
    assert len(browser.subjects()) == 2


@both
def test_an_assertion_signs_in_once(browser: Browser, known: Authenticator) -> None:
    credential = known.get(request(browser))
    assert browser.post("/sign-in/passkey", {"credential": credential}).status_code == 200
    assert "Begin again" in refusal(browser.post("/sign-in/passkey", {"credential": credential}), 401)


def test_a_registration_counts_once(browser: Browser) -> None:
    credential = Authenticator().create(creation(browser))
    assert browser.post("/sign-in/passkey/register", {"credential": credential}).status_code == 200
    again = browser.post("/sign-in/passkey/register", {"credential": credential})
    assert "Begin again" in refusal(again, 401)


def test_the_challenge_of_another_browser_is_refused(
    browser: Browser, known: Authenticator, new_browser: Callable[[], Browser]
) -> None:
    other = new_browser()
    request(other)
    response = other.post("/sign-in/passkey", {"credential": known.get(request(browser))})
    assert "not begun in this browser" in refusal(response, 401)


def test_a_challenge_is_good_for_what_it_was_made_for(browser: Browser, known: Authenticator) -> None:
    made_to_create = creation(browser)
    credential = known.get({"challenge": made_to_create["challenge"]})
    refusal(browser.post("/sign-in/passkey", {"credential": credential}), 401)
    made_to_get = request(browser)
    credential = Authenticator().create({**creation(browser), "challenge": made_to_get["challenge"]})
    refusal(browser.post("/sign-in/passkey/register", {"credential": credential}), 401)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("origin", "https://elsewhere.example", "origin"),
        ("origin", "http://gateway.example", "origin"),
        ("origin", "https://gateway.example:8443", "origin"),
        ("host", "elsewhere.example", "RP ID"),
        ("host", "example", "RP ID"),
        ("flags", VERIFIED, "not present"),
        ("handle", b"of another account", "another account"),
        ("handle", b"", "another account"),
        ("flags", PRESENT | VERIFIED | ELIGIBLE, "backed up"),
        ("counter", -1, "sign count"),
    ],
)
def test_lies_are_refused(browser: Browser, known: Authenticator, name: str, value: Any, words: str) -> None:
    assert signed_in(browser, known).status_code == 200
    setattr(known, name, value)
    assert words in refusal(signed_in(browser, known), 401)


@both
def test_a_counter_must_go_up(browser: Browser, known: Authenticator) -> None:
    for _ in range(2):
        assert signed_in(browser, known).status_code == 200
    known.counter = 1
    assert "not greater" in refusal(signed_in(browser, known), 401)
    known.counter = 7
    assert signed_in(browser, known).status_code == 200


def test_a_passkey_without_a_counter_goes_on_working(browser: Browser) -> None:
    synchronised = Authenticator(flags=PRESENT | VERIFIED | ELIGIBLE, counter=None)
    registered(browser, synchronised)
    assert signed_in(browser, synchronised).status_code == 200
    synchronised.flags |= BACKED_UP
    assert signed_in(browser, synchronised).status_code == 200


def test_the_signature_of_another_key_is_refused(browser: Browser, known: Authenticator) -> None:
    known.key = Authenticator().key
    assert "signature" in refusal(signed_in(browser, known), 401)


def test_an_unknown_passkey_makes_no_account(browser: Browser) -> None:
    assert "not known here" in refusal(signed_in(browser, Authenticator()), 401)


def test_a_passkey_with_too_long_an_id_is_refused(browser: Browser) -> None:
    long = Authenticator()
    long.id = bytes(400)
    assert "longer than" in refusal(registered(browser, long), 400)


@pytest.mark.parametrize(
    "credential",
    [
        None,
        7,
        [],
        {},
        {"id": 7},
        {"response": 7},
        {"response": {"clientDataJSON": 7}},
        {"response": {"clientDataJSON": "!"}},
        {"response": {"clientDataJSON": b64(b"[]")}},
        {"response": {"clientDataJSON": b64(b'{"type":"webauthn.get"}')}},
    ],
)
def test_garbage_is_refused(browser: Browser, credential: Any) -> None:
    for path in ("/sign-in/passkey", "/sign-in/passkey/register"):
        refusal(browser.post(path, {"credential": credential}), 400)


@pytest.mark.parametrize("field", ["authenticatorData", "signature", "userHandle", "attestationObject"])
@pytest.mark.parametrize("value", [None, 7, "", "AA", b64(b"\xff" * 40), b64(b"\xa1" * 70)])
def test_mangled_credentials_are_refused(
    browser: Browser, known: Authenticator, field: str, value: Any
) -> None:
    create = field == "attestationObject"
    credential = known.create(creation(browser)) if create else known.get(request(browser))
    credential["response"][field] = value
    path = "/sign-in/passkey/register" if create else "/sign-in/passkey"
    refusal(browser.post(path, {"credential": credential}), 401)


def test_newcomers_need_an_invitation_where_the_rules_say_so(tmp_path: Any) -> None:
    settings = {"identity": {"public_url": ORIGIN}, "database": f"sqlite:///{tmp_path / 'gateway.db'}"}
    gateway = Gateway.from_dict({**CONFIG, "gateway": settings})
    with TestClient(gateway, base_url=ORIGIN) as client:
        browser = Browser(client, gateway)
        response = browser.post("/sign-in/passkey/register/options")
        assert "invitation" in refusal(response, 403)
        made_up = {"invitation": "not-a-real-invitation"}
        credential = Authenticator().create(creation(browser, **made_up))
        response = browser.post("/sign-in/passkey/register", {"credential": credential})
        assert response.status_code in {400, 403}
        assert browser.session is None
