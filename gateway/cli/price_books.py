"""`gateway prices export`, `import` and `drift`: price books as files."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import config_of, json_option
from gateway.cli.pricing import with_pricing
from gateway.errors import ConfigError
from gateway.shown import print_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.catalogue import Price
    from gateway.catalogue.reading import Page
    from gateway.cli.pricing import Priced

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option(
    "--provider", "providers", multiple=True, help="Only this provider of the price book; may be given again."
)
@click.option("--format", "form", type=click.Choice(["toml", "json"]), default="toml", show_default=True)
@click.option("--version", default="export", show_default=True, help="The version that the book is to have.")
@click.pass_context
def export(ctx: click.Context, providers: tuple[str, ...], form: str, version: str) -> None:
    """Print the price book in use. It is what ships with the gateway, and what the config's book says otherwise."""
    from gateway.catalogue import ModelCatalogue
    from gateway.catalogue.model import ANY
    from gateway.catalogue.writing import document_of, to_json, to_toml

    catalogue = ModelCatalogue.load(config_of(ctx).settings.prices.book)
    models = [
        model
        for provider in providers or catalogue.providers
        for model in (*catalogue.models(provider).values(), *filter(None, [catalogue.find(provider, ANY)]))
        if model.provider == provider
    ]
    if not models:
        raise click.BadParameter(f"known are {', '.join(catalogue.providers)}", param_hint="--provider")
    document = document_of(models, version)
    click.echo(to_toml(document) if form == "toml" else to_json(document), nl=False)


@click.command(name="import")
@click.argument("file", type=_FILE)
@click.option("--dry-run", is_flag=True, help="Only check the file, and say what it has.")
@click.pass_context
def import_(ctx: click.Context, file: Path, dry_run: bool) -> None:
    """Make a price file the book of the config. It is TOML, or JSON as `export` writes it, and becomes `[gateway.prices] book`.

    It takes the place of the file that stood there, and is used from the next start of the gateway on.
    """
    from gateway.catalogue import ModelCatalogue
    from gateway.catalogue.reading import read_document
    from gateway.catalogue.writing import to_toml

    document = document_in(file)
    page = read_document(document, str(file))
    own = ModelCatalogue(page, where=str(file))
    for provider in page.models:
        own.models(provider)
    count = sum(len(models) for models in page.models.values())
    what = f"{count} models of {len(page.models)} providers, version {document['version']!r}"
    if dry_run:
        click.echo(f"{file} is a price book: {what}.")
        return
    book = config_of(ctx).settings.prices.book
    if book is None:
        raise ConfigError(
            ['[gateway.prices] book is not set; name the file to write, as book = "prices.toml"']
        )
    draft = book.with_name(f"{book.name}.new")
    draft.write_text(to_toml(document), "utf-8")
    draft.replace(book)
    click.echo(f"Wrote {book}: {what}. It is used from the next start on.")


@click.command()
@click.argument("file", metavar="NEWER", type=_FILE)
@click.option(
    "--threshold",
    type=click.FloatRange(0),
    default=10,
    show_default=True,
    help="Percent that a price may differ by.",
)
@json_option
@click.pass_context
def drift(ctx: click.Context, file: Path, threshold: float, as_json: bool) -> None:
    """Compare the price book in use with a newer one. Exits with 1 when they differ, or something is sold below cost."""
    import time

    from gateway.catalogue.drift import drift as compare
    from gateway.catalogue.reading import read_document

    page = read_document(document_in(file), str(file))

    async def work(priced: Priced) -> list[dict[str, Any]]:
        now = time.time()

        def selling(provider: str, model: str, price: Price) -> Mapping[str, Decimal]:
            terms = priced.pricing.selling.find(provider, model, now, "")
            return terms.asked(price, config_of(ctx).settings.prices.credit_price)

        found = compare(
            priced.pricing.book.catalogue, _prices(page), selling, at=now, threshold=Decimal(threshold)
        )
        return [
            {
                "model": f"{one.provider}/{one.model}",
                "rate": one.rate,
                "ours": _text(one.ours),
                "newer": _text(one.newer),
                "percent": _text(one.percent),
                "asked": _text(one.asked),
                "below_cost": one.below_cost,
            }
            for one in found
        ]

    rows = with_pricing(ctx, work)
    print_rows(rows, as_json=as_json, none="The books say the same.")
    ctx.exit(1 if rows else 0)


def document_in(file: Path) -> dict[str, Any]:
    """Decode a price file by the end of its name. Raises `ConfigError`."""
    from gateway.catalogue.writing import from_json

    try:
        text = file.read_text("utf-8")
        return from_json(text) if file.suffix == ".json" else tomllib.loads(text, parse_float=Decimal)
    except (OSError, ValueError) as error:
        raise ConfigError([f"{file}: cannot read the price book: {error}"]) from error


def _prices(page: Page) -> Mapping[str, Mapping[str, tuple[Price, ...]]]:
    return {
        provider: {name: fields.get("prices", ()) for name, fields in models.items()}
        for provider, models in page.models.items()
    }


def _text(number: Decimal | None) -> str | None:
    if number is None:
        return None
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
