"""An OpenID Connect issuer with a real browser: it is added to an account, and signs in to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest
from anyio.from_thread import start_blocking_portal
from playwright.sync_api import expect

from ..plugins.jwt.oidc import CLIENT, SECRET, Provider, provider
from .site import Site

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture(scope="module")
def issuer() -> Iterator[Provider]:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(provider()) as issuer:
        yield issuer


@pytest.fixture(scope="module")
def site(serve: Callable[[Mapping[str, Any]], Site], issuer: Provider) -> Site:
    corp = {"issuer": issuer.url, "client_id": CLIENT, "client_secret": SECRET, "title": "Corp SSO"}
    site = serve({"auth": {"jwt": {"issuers": {"corp": corp}}}, "provider": {"mock": {}}})
    issuer.register(f"{site.url}/sign-in/oidc/corp/callback")
    return site


def test_an_issuer_is_added_and_signs_in(site: Site, page: Page) -> None:
    page.goto(site.owner_link())
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{site.url}/account")
    page.goto(f"{site.url}/account/ways")
    page.get_by_role("button", name="Corp SSO").click()
    page.wait_for_url(f"{site.url}/account/ways")
    expect(page.locator("ul.rows strong")).to_have_text(["alice@example.com"])
    page.get_by_label("Account menu").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_text("You have signed out.").wait_for()
    page.goto(f"{site.url}/account/keys")
    page.get_by_role("link", name="Continue with Corp SSO").click()
    page.wait_for_url(f"{site.url}/account/keys")
    page.goto(f"{site.url}/account/ways")
    expect(page.locator("ul.rows strong")).to_have_text(["alice@example.com"])
