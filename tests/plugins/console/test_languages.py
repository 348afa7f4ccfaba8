"""The languages of the pages: complete, alike, and the one that the browser asks for."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

import gateway_console
from gateway.identity.permissions import PERMISSIONS, ROLES
from gateway_console.agents import describe
from gateway_console.languages import LANGUAGES, Languages

FOLDER = Path(gateway_console.__file__).parent
ENGLISH = Languages().get("en").texts


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("tag", sorted(set(LANGUAGES) - {"en"}))
def test_every_text_is_in_every_language_with_the_same_values(tag: str) -> None:
    texts = Languages().get(tag).texts
    assert set(texts) == set(ENGLISH)
    assert {name for name in texts if fields(texts[name]) != fields(ENGLISH[name])} == set()
    assert {name for name, text in texts.items() if not text.strip()} == set()


def test_every_text_that_a_page_asks_for_is_there() -> None:
    sources = [*FOLDER.glob("templates/*.html"), *FOLDER.glob("*.py")]
    asked = {
        name
        for path in sources
        for name in re.findall(r'\bt(?:ext)?\("([a-z_]+\.[a-z_]+)"[,)]', path.read_text(encoding="utf-8"))
    }
    assert len(asked) > 60
    assert asked - set(ENGLISH) == set()
    done = {name for path in sources for name in re.findall(r'done="([a-z-]+)"', path.read_text())}
    assert {f"done.{name}" for name in done} <= set(ENGLISH)


def test_every_permission_and_role_has_a_name() -> None:
    assert {f"permissions.{name}" for name in PERMISSIONS} <= set(ENGLISH)
    assert {f"roles.{name}" for name in ROLES} <= set(ENGLISH)


@pytest.mark.parametrize(
    ("chosen", "accepted", "tag"),
    [
        (None, None, "en"),
        (None, "ja", "ja"),
        (None, "ja-JP,ja;q=0.9,en-US;q=0.8,en;q=0.7", "ja"),
        (None, "fr,de;q=0.9,ja;q=0.2,en;q=0.1", "ja"),
        (None, "en-GB,ja;q=0.9", "en"),
        (None, "ja;q=0", "en"),
        (None, "ja;q=x, ;;, *", "en"),
        ("ja", "en", "ja"),
        ("../en", "ja", "ja"),
    ],
)
def test_the_language_is_the_one_asked_for(chosen: str | None, accepted: str | None, tag: str) -> None:
    assert Languages().choose(chosen, accepted).tag == tag


def test_clients_are_told_apart() -> None:
    edge = "Mozilla/5.0 (Windows NT 10.0; Win64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0"
    phone = (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605 Mobile CriOS/140 Safari/604"
    )
    assert describe(edge) == ("Edge", "Windows", "desktop")
    assert describe(phone) == ("Chrome", "iPhone", "phone")
    assert describe("curl/8.9") == ("curl", None, "terminal")
    assert describe(None) == (None, None, "desktop")
