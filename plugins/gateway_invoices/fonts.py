"""The fonts of PDF invoices: one that is configured and embedded, and those that every reader of PDF must have."""

from __future__ import annotations

from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any, Final, cast

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFError, TTFont

from gateway.errors import ConfigError, InvalidRequest

JAPANESE: Final = "HeiseiMin-W3"
JAPANESE_BOLD: Final = "HeiseiKakuGo-W5"
"""Of the Adobe-Japan1 collection: not embedded, readers bring fonts for it."""
EMBEDDED: Final = "Configured"
_MINUS: Final = 0x2212
_register: Any = cast("Any", pdfmetrics).registerFont  # partly untyped


class Fonts:
    """Finds for each character a font that has it. Raises `ConfigError` when the configured one cannot be read."""

    def __init__(self, path: Path | None) -> None:
        self._glyphs = frozenset[int]() if path is None else _embedded(path)
        for name in (JAPANESE, JAPANESE_BOLD):
            _register(UnicodeCIDFont(name))

    def marked(self, text: str, *, bold: bool = False) -> str:
        """Text as ReportLab's markup, each run in its font. Raises `InvalidRequest` for what no font has."""
        if _MINUS not in self._glyphs:
            text = text.translate({_MINUS: "\u2013"})  # Helvetica has no minus sign, but a dash as wide
        runs = groupby(text, lambda character: self._font(character, bold=bold))
        return "".join(f'<font name="{font}">{escape("".join(run))}</font>' for font, run in runs)

    def _font(self, character: str, *, bold: bool) -> str:
        if ord(character) in self._glyphs:
            return EMBEDDED
        if _encodes(character, "cp1252"):
            return "Helvetica-Bold" if bold else "Helvetica"
        if _encodes(character, "cp932"):
            return JAPANESE_BOLD if bold else JAPANESE
        raise InvalidRequest(
            f"No font for PDF has the character {character!r} (U+{ord(character):04X}): set `font` in "
            "[billing.invoices] to a TrueType font that has it. HTML needs none.",
            status=422,
            code="no_font",
        )


def _embedded(path: Path) -> frozenset[int]:
    try:
        font = TTFont(EMBEDDED, str(path))
    except (OSError, TTFError) as error:
        raise ConfigError([f"font: {path} is no TrueType font that can be embedded: {error}"]) from error
    _register(font)
    return frozenset(font.face.charToGlyph)


def _encodes(character: str, encoding: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
