"""Passkeys, Ethereum and DID Wallet with a real browser: each is added to an account, or opens one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx2
import pytest
from playwright.sync_api import expect

from ..plugins.wallet.did_wallet import DidWallet, read
from ..plugins.wallet.ethereum_wallet import EthereumWallet
from .site import Site

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

TWO_WALLETS = """
for (const name of ["Fox", "Rabbit"]) {
  const provider = { request: ({ method, params }) => window.wallet(name, method, params) };
  const detail = Object.freeze({ info: { uuid: name, name, icon: "", rdns: name }, provider });
  const announce = () => window.dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail }));
  window.addEventListener("eip6963:requestProvider", announce);
  announce();
}
"""
"""What extensions of two wallets put into each page (EIP-6963)."""


@pytest.fixture(scope="module")
def site(serve: Callable[[Mapping[str, Any]], Site]) -> Site:
    return serve(
        {
            "auth": {"wallet": {"app_secret": "5a" * 32}},
            "gateway": {"identity": {"sign_up": "open"}},
            "provider": {"mock": {}},
        }
    )


@pytest.fixture
def device(page: Page) -> None:
    """Give the browser an authenticator, as a phone has one: its owner always consents."""
    session: Any = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def sign_in_by_link(site: Site, page: Page) -> None:
    page.goto(site.owner_link())
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{site.url}/account")


def sign_out(page: Page) -> None:
    page.get_by_label("Account menu").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_text("You have signed out.").wait_for()


def button(page: Page, name: str) -> Locator:
    return page.locator(f'[data-sign-in="{name}"]')


def labels(page: Page) -> Locator:
    return page.locator("ul.rows strong")


@pytest.mark.usefixtures("device")
def test_a_passkey_is_added_and_signs_in(site: Site, page: Page) -> None:
    sign_in_by_link(site, page)
    page.goto(f"{site.url}/account/ways")
    before = labels(page).count()
    with page.expect_navigation():
        button(page, "passkey").click()
    expect(labels(page)).to_have_count(before + 1)

    button(page, "passkey").click()
    page.get_by_text("holds a passkey for this account already").wait_for()

    sign_out(page)
    page.goto(f"{site.url}/sign-in?next=%2Faccount%2Fways")
    button(page, "passkey").click()
    page.wait_for_url(f"{site.url}/account/ways")
    expect(labels(page)).to_have_count(before + 1)
    sign_out(page)


@pytest.mark.usefixtures("device")
def test_somebody_new_makes_an_account_with_a_passkey(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/sign-in")
    button(
        page, "passkey"
    ).click()  # there is none yet: Chromium says so after a while, the offer stands at once
    page.get_by_role("button", name="Create an account with a new passkey").click()
    page.wait_for_url(f"{site.url}/account")
    page.goto(f"{site.url}/account/ways")
    expect(labels(page)).to_have_count(1)


def test_an_ethereum_account_is_chosen_and_signs_in(site: Site, page: Page) -> None:
    wallets = {"Fox": EthereumWallet(101), "Rabbit": EthereumWallet(102)}

    def answer(name: str, method: str, params: list[str]) -> Any:
        wallet = wallets[name]
        match method:
            case "eth_requestAccounts":
                return [wallet.address.lower()]
            case "eth_chainId":
                return "0x1"
            case _:
                assert method == "personal_sign"
                message = bytes.fromhex(params[0].removeprefix("0x")).decode()
                assert message.startswith(f"localhost:{urlsplit(site.url).port} wants you to sign in")
                return wallet.sign(message)

    exposing: Any = page
    exposing.expose_function("wallet", answer)
    page.add_init_script(TWO_WALLETS)
    page.goto(f"{site.url}/sign-in")
    button(page, "siwe").click()
    page.get_by_role("button", name="Rabbit").click()
    page.wait_for_url(f"{site.url}/account")
    page.goto(f"{site.url}/account/ways")
    address = wallets["Rabbit"].address
    expect(labels(page)).to_have_text([f"{address[:6]}…{address[-4:]}"])


def test_without_a_wallet_there_is_no_button_for_ethereum(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/sign-in")
    button(page, "did-connect").wait_for()
    expect(button(page, "siwe")).to_be_hidden()


def test_a_did_wallet_scans_the_code(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/sign-in")
    button(page, "did-connect").click()
    page.get_by_alt_text("QR code for DID Wallet").wait_for()
    link = page.get_by_role("link", name="Open the wallet on this device").get_attribute("href")
    url = unquote(parse_qs(urlsplit(link or "").query)["url"][0])
    request = read(httpx2.get(url).json())
    page.get_by_text("Confirm in your wallet.").wait_for()
    answer = DidWallet(103).answer(request["challenge"])
    assert read(httpx2.post(url, json=answer).json())["status"] == "ok"
    page.wait_for_url(f"{site.url}/account")
    page.goto(f"{site.url}/account/ways")
    expect(labels(page).first).to_have_text(re.compile(r"^z\w{7}…\w{4}$"))
