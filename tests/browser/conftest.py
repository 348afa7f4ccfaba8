"""A real browser: Chromium, steered by Playwright. Without one the tests are skipped.

The fixtures are of a module each: while Playwright runs, no other event loop can.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from .site import Site, listening

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def chromium() -> Generator[Browser]:
    """The browser."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"none of {', '.join(NAMES)} is installed")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"], timeout=90_000)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Generator[Callable[[Mapping[str, Any]], Site]]:
    """Serves configs for as long as the module's tests run."""
    with ExitStack() as open_sites:

        def served(config: Mapping[str, Any]) -> Site:
            return open_sites.enter_context(listening(tmp_path_factory.mktemp("site"), config))

        yield served


@pytest.fixture
def page(chromium: Browser) -> Generator[Page]:
    """A page of a new browser profile; whatever the browser complains of, a breach of the policy too, fails the test."""
    context = chromium.new_context(locale="en-GB")
    context.set_default_timeout(60_000)
    page = context.new_page()
    complaints: list[str] = []

    def complain(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    page.on("console", complain)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []
