"""The way of somebody new, with a real browser: a link, a key, a call with the key, and out again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from .site import Site

if TYPE_CHECKING:
    from playwright.sync_api import Page


PATHS = ("", "/keys", "/keys/new", "/ways", "/sessions")


@pytest.fixture(scope="module")
def site(serve: Callable[[Mapping[str, Any]], Site]) -> Site:
    return serve({"auth": {"apikey": {}}, "provider": {"mock": {}}})


def test_from_a_link_to_a_call_and_out(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/account/keys")
    assert page.url == f"{site.url}/sign-in?next=%2Faccount%2Fkeys"

    link = site.owner_link()
    page.goto(link)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{site.url}/account")
    expect(page.get_by_role("heading", level=1)).to_have_text("Hello, Owner")

    page.get_by_role("link", name="API keys").first.click()
    page.get_by_role("link", name="New key").click()
    page.get_by_role("textbox", name="Name").fill("laptop")
    page.get_by_role("radio", name="Only these").check()
    page.get_by_role("textbox", name="Only these").fill("mock/*\n")
    page.get_by_role("button", name="Create key").click()
    key = page.get_by_label("API key laptop").input_value()
    assert key.startswith("gw_")

    said = {"model": "mock/echo", "messages": [{"role": "user", "content": "hello"}]}
    authorization = {"authorization": f"Bearer {key}"}
    answer = httpx2.post(f"{site.url}/v1/chat/completions", json=said, headers=authorization)
    assert answer.status_code == 200
    assert "hello" in answer.json()["choices"][0]["message"]["content"]

    page.reload()  # sends the form again, as an impatient reader does
    expect(page.get_by_role("status").filter(has_text="sent already")).to_be_visible()
    expect(page.get_by_role("row")).to_have_count(2)  # the heads and one key
    assert key not in page.content()

    page.get_by_text("Revoke", exact=True).click()
    page.get_by_role("button", name="Revoke the key").click()
    expect(page.get_by_role("heading", name="No keys yet")).to_be_visible()

    page.get_by_label("Account menu").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You have signed out.")).to_be_visible()
    page.goto(f"{site.url}/account")
    assert page.url.startswith(f"{site.url}/sign-in")
    assert httpx2.get(link).status_code == 410


def test_everything_works_with_the_keyboard_and_without_a_script(site: Site, page: Page) -> None:
    browser = page.context.browser
    assert browser is not None
    plain = browser.new_context(
        java_script_enabled=False, locale="ja-JP", viewport={"width": 390, "height": 844}
    )
    page = plain.new_page()
    page.goto(site.owner_link())
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site.url}/account")
    expect(page.get_by_role("heading", level=1)).to_have_text("Owner さん、こんにちは")
    expect(page.locator("html")).to_have_attribute("lang", "ja")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("本文へ移動")
    for path in PATHS:
        page.goto(f"{site.url}/account{path}")
        wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        assert not wide, f"{path} is wider than a phone"
    plain.close()


def test_axe_finds_no_fault(site: Site, page: Page) -> None:
    page.goto(site.owner_link())
    problems = [*_faults(page)]
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{site.url}/account")
    for number, path in enumerate(PATHS):
        page.emulate_media(color_scheme="dark" if number % 2 else "light", reduced_motion="reduce")
        page.goto(f"{site.url}/account{path}")
        problems += _faults(page)
    assert problems == []


def _faults(page: Page) -> list[str]:
    axe: Any = Axe()
    found: list[dict[str, Any]] = axe.run(page).response["violations"]
    return [f"{page.url}: {one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]
