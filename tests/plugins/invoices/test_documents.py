from __future__ import annotations

import csv
import io
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pypdfium2
import pytest

from gateway.errors import ConfigError, InvalidRequest
from gateway_invoices.config import Entity
from gateway_invoices.document import Document, Line, Quantity, digest, encoded
from gateway_invoices.exporting import Exporter
from gateway_invoices.html import Pages
from gateway_invoices.reading import Invoice
from gateway_invoices.words import WORDS

from .samples import customer, document, seller, usage


def invoice(of: Document, status: str = "issued") -> Invoice:
    raw = encoded(of)
    return Invoice(
        id="ivc_1",
        tenant="acme",
        entity="main",
        kind=of.kind,
        status=status,
        number=of.number or None,
        of=None,
        period_start=0.0,
        period_end=1.0,
        currency=of.currency,
        total=of.total,
        open=of.due - of.owed,
        document=raw,
        hash=digest(raw),
        created_at=0.0,
        issue_at=None,
        issued_at=0.0,
        paid_at=None,
        voided_at=None,
        revision=1,
    )


def english(**changes: Any) -> Document:
    lines = [
        usage(123_456_789_012, calls=12_345, input_tokens=98_765_432, cached_read_tokens=1_234_567),
        Line(kind="fee", text="=Plan, <b>October</b>", quantities=(Quantity("", "3"),), unit_price="9.90"),
        Line(kind="credits", text="Prepaid", quantities=(Quantity("", "1"),), unit_price="-25"),
    ]
    return document(Entity.model_validate(seller(**changes)), customer(), lines)


def japanese() -> Document:
    taxes = [{"country": "JP", "name": "消費税", "percent": "10"}]
    by = seller(
        name="例示株式会社", address=["東京都千代田区"], currency="JPY", credit_price="150", taxes=taxes
    )
    to = customer(name="株式会社アクメ", country="JP", address=("大阪府大阪市",))
    return document(Entity.model_validate(by), to, [usage(123_456_789_012)], language="ja")


def text_of(pdf: bytes) -> list[str]:
    pages: Any = pypdfium2.PdfDocument(pdf)
    return [" ".join(page.get_textpage().get_text_range().split()) for page in pages]


def test_pdf_says_it_in_english():
    (page,) = text_of(Exporter(None).export(invoice(english()), "pdf"))
    for words in (
        "Invoice",
        "INV-000042",
        "2 Nov 2026",
        "1 Oct 2026",
        "Example AI GmbH",
        "Beispielstraße 1",
        "Tax ID DE111111111",
        "gpt-5 (openai)",
        "12,345 calls",
        "1,234,567 of them read from cache",
        "=Plan, <b>October</b>",
        "117.28",
        "VAT 19% 23.18",
        "EUR 145.16",
        "IBAN DE00",
        "Page 1 of 1",
    ):
        assert words in page


def test_pdf_says_it_in_japanese():
    (page,) = text_of(Exporter(None).export(invoice(japanese()), "pdf"))
    for words in ("請求書", "2026年11月2日", "例示株式会社", "株式会社アクメ", "小計 18,519", "JPY 20,371"):
        assert words in page


def test_the_same_invoice_gives_the_same_file():
    assert Exporter(None).export(invoice(english()), "pdf") == Exporter(None).export(
        invoice(english()), "pdf"
    )


def test_a_long_one_goes_over_pages_with_its_heading_on_each():
    by = Entity.model_validate(seller())
    pages = text_of(
        Exporter(None).export(
            invoice(document(by, customer(), [usage(10**9, f"m-{n}") for n in range(60)]), "draft"), "pdf"
        )
    )
    assert len(pages) > 1
    assert all(
        f"Page {n} of {len(pages)}" in page and "Description" in page for n, page in enumerate(pages, 1)
    )
    assert "Draft" in pages[0]


def test_a_character_without_a_font_is_told_and_no_box():
    odd = document(Entity.model_validate(seller()), customer(name="Łódź"), [])
    with pytest.raises(InvalidRequest, match=r"'Ł' \(U\+0141\): set `font`"):
        Exporter(None).export(invoice(odd), "pdf")


def test_a_font_that_is_none_is_told(tmp_path: Path):
    (tmp_path / "no.ttf").write_bytes(b"no font")
    for name in ("no.ttf", "missing.ttf"):
        with pytest.raises(ConfigError, match="no TrueType font"):
            Exporter(tmp_path / name).open()


class _Checker(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href"}]


def test_html_stands_alone_and_escapes():
    page = Pages().write(english(), "issued")
    checker = _Checker()
    checker.feed(page)
    assert "&lt;b&gt;October" in page
    assert checker.links == []
    assert not checker.tags & {"script", "b", "link"}
    assert '<html lang="ja">' in Pages().write(japanese(), "issued")


def test_who_owes_the_tax_is_told():
    by = Entity.model_validate(seller())
    page = Pages().write(document(by, customer(country="AT"), [usage(10**9)]), "issued")
    assert "Reverse charge: the customer accounts for VAT." in page


def test_csv_comes_to_the_total_and_holds_no_formula():
    of = english()
    rows = [*csv.DictReader(io.StringIO(Exporter(None).export(invoice(of), "csv").decode("utf-8-sig")))]
    lines = [row for row in rows if row["line"]]
    assert sum(Decimal(row["amount"]) for row in lines if row["amount"]) == Decimal("121.98")
    assert [(row["kind"], row["amount"]) for row in rows[-4:]] == [
        ("net", "121.98"),
        ("tax", "23.18"),
        ("total", "145.16"),
        ("due", "145.16"),
    ]
    assert lines[3]["text"] == "'=Plan, <b>October</b>"
    assert [row["unit"] for row in lines[:3]] == ["calls", "input_tokens", "cached_read_tokens"]
    assert lines[0]["credits"] == "123456789012"


def test_every_language_says_everything():
    say = {
        name: {key for key in words if not key.endswith("_1") or key[:-2] not in words}
        for name, words in WORDS.items()
    }
    assert say == dict.fromkeys(WORDS, say["en"])
