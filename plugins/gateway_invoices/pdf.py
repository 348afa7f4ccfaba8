"""An invoice as PDF, on A4. The same document gives the same bytes.

ReportLab, as it needs nothing but Python, breaks tables over pages, and has fonts for Japanese without a font file.
"""

from __future__ import annotations

import io
from itertools import zip_longest
from typing import Any, Final

from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table

from gateway_invoices.document import Document
from gateway_invoices.fonts import Fonts
from gateway_invoices.rows import Row
from gateway_invoices.view import View, view_of

_INK, _SOFT, _LINE, _ACCENT = (HexColor(color) for color in ("#1c2430", "#5d6876", "#dfe4ea", "#1f4e79"))
_ALERT: Final = HexColor("#9a3412")
_MARGIN: Final = 20 * mm
_PADDING: Final = 6.0
"""What ReportLab leaves free within its frames."""
_WIDTH: Final = A4[0] - 2 * _MARGIN
_COLUMNS: Final = (_WIDTH - 87 * mm, 31 * mm, 24 * mm, 32 * mm)


def as_pdf(document: Document, status: str, fonts: Fonts) -> bytes:
    """The file of a document whose invoice is in that state. Raises `InvalidRequest` for what no font can show."""
    view, file = view_of(document, status), io.BytesIO()
    pages = SimpleDocTemplate(
        file,
        pagesize=A4,
        leftMargin=_MARGIN - _PADDING,
        rightMargin=_MARGIN - _PADDING,
        topMargin=_MARGIN,
        bottomMargin=_MARGIN,
        title=f"{view.title} {document.number}".strip(),
        author=document.seller.name,
        lang=view.language,
        invariant=1,
    )
    page = _Page(view, fonts)
    number = document.number

    def canvas(*values: Any, **options: Any) -> Canvas:
        return _Numbered(*values, said=page, number=number, **options)

    pages.build(page.flow(), canvasmaker=canvas)
    return file.getvalue()


class _Page:
    def __init__(self, view: View, fonts: Fonts) -> None:
        self._view = view
        self._fonts = fonts

    def text(
        self, text: str, size: float = 9.5, color: Any = _INK, *, bold: bool = False, right: bool = False
    ) -> Paragraph:
        """A paragraph in a style."""
        style = ParagraphStyle(
            "s", fontSize=size, leading=size * 1.4, textColor=color, splitLongWords=1, wordWrap=self._wrap()
        )
        if right:
            style.alignment = TA_RIGHT
        return Paragraph(self._fonts.marked(text, bold=bold), style)

    def page_text(self, page: int, pages: int) -> str:
        """What stands below each page."""
        return self._view.words["page"].format(page=page, pages=pages)

    def flow(self) -> list[Flowable]:
        """All that stands on it."""
        view = self._view
        foot: list[Flowable] = [Spacer(0, 6 * mm)]
        if view.payment:
            foot.append(self.text(view.words["payment"], 8, _SOFT, bold=True))
            foot += [self.text(line) for line in view.payment]
            foot.append(Spacer(0, 5 * mm))
        foot += [self.text(note, 8, _SOFT) for note in view.notes]
        return [
            self._head(),
            Spacer(0, 9 * mm),
            self._parties(),
            Spacer(0, 9 * mm),
            self._lines(),
            Spacer(0, 4 * mm),
            KeepTogether([self._sums()]),
            KeepTogether(foot),
        ]

    def _wrap(self) -> str | None:
        return "CJK" if self._view.language == "ja" else None

    def _head(self) -> Table:
        title: list[Flowable] = [self.text(self._view.title, 24, _ACCENT, bold=True)]
        if self._view.state:
            title.append(self.text(self._view.state, 11, _ALERT, bold=True))
        facts = Table(
            [
                [self.text(label, color=_SOFT), self.text(value, right=True)]
                for label, value in self._view.facts
            ],
            colWidths=(28 * mm, 56 * mm),
            style=[*_PLAIN, ("BOTTOMPADDING", (0, 0), (-1, -1), 1)],
        )
        return Table([[title, facts]], colWidths=(_WIDTH - 84 * mm, 84 * mm), style=_PLAIN)

    def _parties(self) -> Table:
        words, cells = self._view.words, list[list[Flowable]]()
        for label, party in ((words["from"], self._view.seller), (words["to"], self._view.customer)):
            cell: list[Flowable] = [self.text(label, 8, _SOFT, bold=True), self.text(party[0], bold=True)]
            cells.append(cell + [self.text(line) for line in party[1:]])
        return Table([cells], colWidths=(_WIDTH / 2, _WIDTH / 2), style=_PLAIN)

    def _lines(self) -> Table:
        words = self._view.words
        names = (
            words["text"],
            words["quantity"],
            words["price"],
            f"{words['amount']} ({self._view.currency})",
        )
        rows: list[list[Any]] = [
            [self.text(name, 8, _SOFT, bold=True, right=place > 0) for place, name in enumerate(names)]
        ]
        style = [
            *_PLAIN,
            ("LINEBELOW", (0, 0), (-1, 0), 1.2, _ACCENT),
            ("TOPPADDING", (0, 0), (-1, -1), 4),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 5),
        ]
        following = [row.kind for row in self._view.rows[1:]]
        for place, (row, after) in enumerate(zip_longest(self._view.rows, following), start=1):
            cell = [self.text(row.text, bold=row.kind == "head")]
            if row.detail:
                cell.append(self.text(row.detail, 8, _SOFT))
            rows.append(
                [cell, *(self.text(value, right=True) for value in (row.quantity, row.price, row.amount))]
            )
            style += _row_style(row, after, place)
        return Table(rows, colWidths=_COLUMNS, repeatRows=1, style=style)

    def _sums(self) -> Table:
        *parts, (label, total) = self._view.sums
        rows = [[self.text(name, color=_SOFT), self.text(amount, right=True)] for name, amount in parts]
        rows.append([self.text(label, 13, bold=True), self.text(total, 13, bold=True, right=True)])
        style = [
            *_PLAIN,
            ("TOPPADDING", (0, 0), (-1, -1), 2),
            ("LINEABOVE", (0, -1), (-1, -1), 1.2, _ACCENT),
            ("TOPPADDING", (0, -1), (-1, -1), 5),
        ]
        return Table(rows, colWidths=(54 * mm, 52 * mm), hAlign="RIGHT", style=style)


def _row_style(row: Row, after: str | None, place: int) -> list[Any]:
    """A head stays on the page of the first line below it; a rule stands where something else begins."""
    first, last = (0, place), (-1, place)
    found: list[Any] = []
    if row.kind == "head":
        return [("NOSPLIT", first, (-1, place + 1)), ("BOTTOMPADDING", first, last, 1)]
    if row.kind == "part":
        found = [("LEFTPADDING", first, first, 4 * mm), ("TOPPADDING", first, last, 1.5)]
    if row.kind == "part" and after == "part":
        return [*found, ("BOTTOMPADDING", first, last, 1.5)]
    return [*found, ("LINEBELOW", first, last, 0.5, _LINE)]


_PLAIN: Final[list[Any]] = [
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ("LEFTPADDING", (0, 0), (-1, -1), 0),
    ("RIGHTPADDING", (0, 0), (-1, -1), 0),
    ("TOPPADDING", (0, 0), (-1, -1), 0),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 0),
]


class _Numbered(Canvas):
    """Writes `page of pages` below each page once it is known how many there are."""

    def __init__(self, *values: Any, said: _Page, number: str, **options: Any) -> None:
        super().__init__(*values, **options)  # pyright: ignore[reportUnknownMemberType] - partly untyped
        self._said = said
        self._number = number
        self._kept: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802 - ReportLab's name
        self._kept.append(dict(self.__dict__))
        self._startPage()  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue] - as ReportLab's guide does

    def save(self) -> None:
        for place, kept in enumerate(self._kept, start=1):
            self.__dict__.update(kept)
            self._foot(place, len(self._kept))
            super().showPage()
        super().save()

    def _foot(self, page: int, pages: int) -> None:
        self.setFillColor(_ACCENT)
        self.rect(0, A4[1] - 3 * mm, A4[0], 3 * mm, stroke=0, fill=1)
        for text, right in ((self._number, False), (self._said.page_text(page, pages), True)):
            line = self._said.text(text, 8, _SOFT, right=right)
            line.wrapOn(self, _WIDTH, 5 * mm)
            line.drawOn(self, _MARGIN, 9 * mm)
