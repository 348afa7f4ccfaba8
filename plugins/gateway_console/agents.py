"""What a client calls itself, in two words."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

# The first that is found counts: browsers also name those that they want to be taken for.
_BROWSERS: Final = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser": "Samsung Internet",
    "Firefox": "Firefox",
    "FxiOS": "Firefox",
    "CriOS": "Chrome",
    "Chrome": "Chrome",
    "Safari": "Safari",
    "curl": "curl",
    "python": "Python",
    "gateway": "gateway CLI",
}
_SYSTEMS: Final = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}
_PHONES: Final = frozenset({"iPhone", "iPad", "Android"})
_PROGRAMS: Final = frozenset({"curl", "Python", "gateway CLI"})


class Agent(NamedTuple):
    """A client for people to recognise."""

    browser: str | None
    system: str | None
    kind: Literal["desktop", "phone", "terminal"]


def describe(agent: str | None) -> Agent:
    """Which browser it is, on what."""
    words = agent or ""
    browser = next((name for mark, name in _BROWSERS.items() if mark in words), None)
    system = next((name for mark, name in _SYSTEMS.items() if mark in words), None)
    kind = "phone" if system in _PHONES else "terminal" if browser in _PROGRAMS else "desktop"
    return Agent(browser, system, kind)
