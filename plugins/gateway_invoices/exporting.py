"""An invoice in a format: its bytes, and their media type."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from gateway.errors import ConfigError
from gateway_invoices.reading import Invoice
from gateway_invoices.tabular import as_csv, as_object

if TYPE_CHECKING:
    from gateway_invoices.fonts import Fonts
    from gateway_invoices.html import Pages

Format = Literal["pdf", "html", "csv", "json"]
MEDIA: Final[Mapping[Format, str]] = {
    "pdf": "application/pdf",
    "html": "text/html; charset=utf-8",
    "csv": "text/csv; charset=utf-8; header=present",
    "json": "application/json",
}


class Exporter:
    """Writes invoices. Raises `ConfigError` when the extra is missing."""

    def __init__(self, font: Path | None) -> None:
        if find_spec("reportlab") is None:
            raise ConfigError(["it needs the package 'reportlab': pip install 'asgi-gateway[invoices]'"])
        self._font = font

    def export(self, invoice: Invoice, form: Format) -> bytes:
        """The invoice in that format.

        For PDF raises `InvalidRequest` (422) when there are characters that no font has, and `ConfigError` when the
        configured one cannot be read.
        """
        document, status = invoice.shown, invoice.status
        match form:
            case "pdf":
                from gateway_invoices.pdf import as_pdf  # noqa: PLC0415 - what takes long to import

                return as_pdf(document, status, self._fonts)
            case "html":
                return self._pages.write(document, status).encode()
            case "csv":
                return b"\xef\xbb\xbf" + as_csv(document).encode()  # the mark by which Excel knows UTF-8
            case "json":
                return msgspec.json.format(msgspec.json.encode(as_object(invoice)), indent=2) + b"\n"

    def open(self) -> None:
        """Read the fonts now. Raises `ConfigError` when the configured one cannot be read."""
        _ = self._fonts

    @cached_property
    def _fonts(self) -> Fonts:
        from gateway_invoices.fonts import Fonts  # noqa: PLC0415 - what takes long to import

        return Fonts(self._font)

    @cached_property
    def _pages(self) -> Pages:
        from gateway_invoices.html import Pages  # noqa: PLC0415 - what takes long to import

        return Pages()
