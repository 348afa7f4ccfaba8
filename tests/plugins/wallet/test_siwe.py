"""Signing in with Ethereum, and everything that must not sign in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from .browser import ORIGIN, Browser, both, refusal
from .ethereum_wallet import EthereumWallet


def signed_in(browser: Browser, wallet: EthereumWallet, **asked: Any) -> Any:
    begun = browser.post("/sign-in/siwe/message", {"address": wallet.address.lower(), "chain": 1, **asked})
    assert begun.status_code == 200, begun.text
    message = begun.json()["message"]
    return browser.post("/sign-in/siwe", {"message": message, "signature": wallet.sign(message)})


def message_of(nonce: str, address: str, **changed: Any) -> str:
    for name, value in changed.items():  # times are told from now on, not from when the tests were collected
        if isinstance(value, timedelta):
            changed[name] = at(value)
        elif isinstance(value, tuple):
            label, distance = cast("tuple[str, timedelta]", value)
            changed[name] = f"\n{label}: {at(distance)}"
    fields = {
        "domain": "gateway.example",
        "uri": f"{ORIGIN}/sign-in",
        "chain": "1",
        "issued": datetime.now(UTC).isoformat(),
        "more": "",
        **changed,
    }
    return (
        f"{fields['domain']} wants you to sign in with your Ethereum account:\n{address}\n\n\n"
        f"URI: {fields['uri']}\nVersion: 1\nChain ID: {fields['chain']}\nNonce: {nonce}\n"
        f"Issued At: {fields['issued']}{fields['more']}"
    )


def at(distance: timedelta) -> str:
    return (datetime.now(UTC) + distance).isoformat()


@both
def test_an_account_signs_in_and_comes_back(new_browser: Callable[[], Browser]) -> None:
    wallet, first, second = EthereumWallet(11), new_browser(), new_browser()
    response = signed_in(first, wallet)
    assert response.status_code == 200, response.text
    assert signed_in(second, wallet).status_code == 200
    assert first.signed_in() == second.signed_in()
    assert first.session != second.session
    assert first.subjects() == [f"did:pkh:eip155:1:{wallet.address}"]
    assert "HttpOnly" in response.headers["set-cookie"]


def test_each_chain_is_another_identity(new_browser: Callable[[], Browser]) -> None:
    wallet, first, second = EthereumWallet(12), new_browser(), new_browser()
    assert signed_in(first, wallet).status_code == 200
    assert signed_in(second, wallet, chain=10).status_code == 200
    assert first.signed_in() != second.signed_in()


def test_a_client_may_write_the_message_by_itself(browser: Browser) -> None:
    wallet = EthereumWallet(13)
    nonce = browser.post("/sign-in/siwe/message").json()["nonce"]
    message = message_of(nonce, wallet.address, domain="https://gateway.example")
    assert browser.post("/sign-in/siwe", {"message": message, "signature": wallet.sign(message)}).json() == {
        "status": "succeed"
    }


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"domain": "elsewhere.example"}, "signed for elsewhere.example"),
        ({"domain": "http://gateway.example"}, "signed for gateway.example"),
        ({"domain": "gateway.example:8443"}, "signed for gateway.example:8443"),
        ({"domain": "gateway.example@elsewhere.example"}, "signed for gateway.example@"),
        ({"uri": "https://elsewhere.example/sign-in"}, "URI must be"),
        ({"uri": f"{ORIGIN}/other"}, "URI must be"),
        ({"chain": "137"}, "chain 137"),
        ({"issued": timedelta(minutes=-6)}, "issued"),
        ({"issued": timedelta(minutes=2)}, "issued"),
        ({"more": ("Expiration Time", timedelta(seconds=-1))}, "expired"),
        ({"more": ("Not Before", timedelta(minutes=1))}, "not valid yet"),
    ],
)
def test_what_was_signed_for_others_or_another_time_is_refused(
    browser: Browser, changed: dict[str, Any], words: str
) -> None:
    wallet = EthereumWallet(14)
    nonce = browser.post("/sign-in/siwe/message").json()["nonce"]
    message = message_of(nonce, wallet.address, **changed)
    response = browser.post("/sign-in/siwe", {"message": message, "signature": wallet.sign(message)})
    assert words in refusal(response, 401)
    good = message_of(nonce, wallet.address)
    again = browser.post("/sign-in/siwe", {"message": good, "signature": wallet.sign(good)})
    assert "Begin again" in refusal(again, 401), "a nonce is spent by whatever uses it"


@both
def test_a_message_signs_in_once(browser: Browser) -> None:
    wallet = EthereumWallet(15)
    message = browser.post("/sign-in/siwe/message", {"address": wallet.address}).json()["message"]
    proof = {"message": message, "signature": wallet.sign(message)}
    assert browser.post("/sign-in/siwe", proof).status_code == 200
    assert "Begin again" in refusal(browser.post("/sign-in/siwe", proof), 401)


def test_the_nonce_of_another_browser_is_refused(new_browser: Callable[[], Browser]) -> None:
    wallet, one, other = EthereumWallet(16), new_browser(), new_browser()
    message = one.post("/sign-in/siwe/message", {"address": wallet.address}).json()["message"]
    other.post("/sign-in/siwe/message")
    proof = {"message": message, "signature": wallet.sign(message)}
    assert "not begun in this browser" in refusal(other.post("/sign-in/siwe", proof), 401)


def test_a_nonce_of_ones_own_is_refused(browser: Browser) -> None:
    wallet = EthereumWallet(17)
    browser.post("/sign-in/siwe/message")
    message = message_of("abcdefgh12345678", wallet.address)
    response = browser.post("/sign-in/siwe", {"message": message, "signature": wallet.sign(message)})
    assert "Begin again" in refusal(response, 401)


def test_another_account_cannot_sign(browser: Browser) -> None:
    message = browser.post("/sign-in/siwe/message", {"address": EthereumWallet(18).address}).json()["message"]
    proof = {"message": message, "signature": EthereumWallet(19).sign(message)}
    assert "Another account" in refusal(browser.post("/sign-in/siwe", proof), 401)


def test_another_site_cannot_ask(browser: Browser) -> None:
    response = browser.post("/sign-in/siwe/message", origin="https://elsewhere.example")
    assert "another site" in refusal(response, 403)
    form = browser.post("/sign-in/siwe", **{"content-type": "text/plain"})
    assert refusal(form, 415)


@pytest.mark.parametrize("address", ["0x12", "vitalik.eth", 7, "0x" + "g" * 40])
def test_what_is_no_address_is_refused(browser: Browser, address: object) -> None:
    refusal(browser.post("/sign-in/siwe/message", {"address": address}), 400)


@both
def test_an_account_is_added_to_who_is_signed_in(new_browser: Callable[[], Browser]) -> None:
    mine, more, others = EthereumWallet(20), EthereumWallet(21), EthereumWallet(22)
    browser, stranger = new_browser(), new_browser()
    signed_in(browser, mine)
    signed_in(stranger, others)
    user = browser.signed_in()
    response = signed_in(browser, more, add=True)
    assert response.json()["identity"].startswith("idn_")
    assert len(browser.subjects()) == 2
    assert "belongs to an account already" in refusal(signed_in(browser, others, add=True), 409)
    again = new_browser()
    signed_in(again, more)
    assert again.signed_in() == user


def test_adding_needs_a_session_and_its_token(new_browser: Callable[[], Browser]) -> None:
    wallet, browser = EthereumWallet(23), new_browser()
    assert "Sign in first" in refusal(browser.post("/sign-in/siwe/message", {"add": True}), 401)
    signed_in(browser, wallet)  # and the browser does not send the token of the session's forms yet
    refusal(browser.post("/sign-in/siwe/message", {"add": True}), 403)


def test_what_one_user_began_another_does_not_finish(browser: Browser) -> None:
    signed_in(browser, EthereumWallet(24))
    browser.signed_in()
    more = EthereumWallet(25)
    begun = browser.post("/sign-in/siwe/message", {"address": more.address, "add": True}).json()["message"]
    binding = browser.cookies["__Host-gateway_siwe"]
    signed_in(browser, EthereumWallet(26))
    browser.signed_in()
    browser.cookies["__Host-gateway_siwe"] = binding
    response = browser.post("/sign-in/siwe", {"message": begun, "signature": more.sign(begun)})
    assert "Somebody else" in refusal(response, 401)
