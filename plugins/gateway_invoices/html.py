"""An invoice as a page that stands alone: no script, nothing from elsewhere, fit for print."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway_invoices.document import Document
from gateway_invoices.view import view_of


class Pages:
    """Writes pages."""

    def __init__(self) -> None:
        environment = Environment(
            loader=PackageLoader("gateway_invoices"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
        )
        self._template = environment.get_template("invoice.html")

    def write(self, document: Document, status: str) -> str:
        """The page of a document whose invoice is in that state."""
        return self._template.render(view=view_of(document, status), number=document.number)
