"""The languages of the pages: catalogues of texts, and which one a browser gets."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

LANGUAGES: Final[Mapping[str, str]] = {"en": "English", "ja": "日本語"}
"""Their tags, and what each calls itself."""

COOKIE: Final = "gateway_language"
_FOLDER: Final = Path(__file__).parent / "catalogue"


class Language(Struct, frozen=True):
    """A language with its texts, by names like `keys.title`."""

    tag: str
    texts: Mapping[str, str]

    def text(self, key: str, **values: Any) -> str:
        """A text with its values filled in. Raises KeyError for a name that no catalogue has."""
        text = self.texts[key]
        return text.format_map(values) if values else text

    def or_else(self, key: str, default: str) -> str:
        """A text, or what stands for it where somebody else chose the name."""
        return self.texts.get(key, default)


class Languages:
    """The catalogues; each is read when it is first asked for."""

    def __init__(self) -> None:
        self._read: dict[str, Language] = {}

    def choose(self, chosen: str | None, accepted: str | None) -> Language:
        """The language that was chosen; else the one that the browser likes best; else English."""
        if chosen in LANGUAGES:
            return self.get(chosen)
        wishes: list[tuple[float, str]] = []
        for wish in (accepted or "").split(","):
            tag, _, quality = wish.partition(";")
            tag = tag.strip().lower().partition("-")[0]
            if tag in LANGUAGES:
                wishes.append((_quality(quality), tag))
        best = max(wishes, key=lambda wish: wish[0], default=(0.0, "en"))
        return self.get(best[1] if best[0] > 0 else "en")

    def get(self, tag: str) -> Language:
        """The language of that tag, which is one of LANGUAGES."""
        if tag not in self._read:
            tables = tomllib.loads((_FOLDER / f"{tag}.toml").read_text(encoding="utf-8"))
            texts = {f"{table}.{name}": text for table, rows in tables.items() for name, text in rows.items()}
            self._read[tag] = Language(tag, texts)
        return self._read[tag]


def _quality(parameter: str) -> float:
    try:
        return float(parameter.strip().removeprefix("q=") or 1)
    except ValueError:
        return 0.0
