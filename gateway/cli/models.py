"""`gateway models`: what is known of the models that may be called, and whether the config fits it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from gateway.cli.options import config_of, json_option, path_of, registry_of

if TYPE_CHECKING:
    from gateway.catalogue import Model, ModelCatalogue
    from gateway.cli.model_check import Difference
    from gateway.protocols import Provider
    from gateway.routing.live import Entry
    from gateway.store import Database

_HEADINGS = ("kind", "can", "context", "$ per M", "")
_NUMBERS = ("context", "$ per M")
_WORTH = (3, 4, 2, 0, 1)
"""The columns in the order in which they are given room; --json and `show` tell all."""
_SHORTEST = 24
"""The room that a column has to have at least, where it needs as much."""


@click.group()
def models() -> None:
    """List, show and check the models that may be called."""


@models.command("list")
@click.option("--all", "everything", is_flag=True, help="Those of every provider that is known.")
@click.option("--provider", help="Only those of this provider: one of the config, or any that is known.")
@click.option("--kind", help="Only those of this kind: chat, embedding, image …")
@click.option(
    "--capability", "capabilities", multiple=True, help="Only those that can do this; may be repeated."
)
@json_option
@click.pass_context
def list_(
    ctx: click.Context,
    everything: bool,
    provider: str | None,
    kind: str | None,
    capabilities: tuple[str, ...],
    as_json: bool,
) -> None:
    """List the models of the providers in the config. With --json one object per line.

    Prices are in US dollars: input / output per million tokens.
    """
    from gateway.catalogue import CAPABILITIES, KINDS
    from gateway.cli import model_view

    catalogue = _catalogue(ctx)
    for given, known in ((kind, KINDS), *((word, CAPABILITIES) for word in capabilities)):
        if given is not None and given not in known:
            raise click.UsageError(f"'{given}' is not known; known are {', '.join(known)}")
    rows = [
        (name, model)
        for name, model in _rows(ctx, catalogue, everything=everything, provider=provider)
        if kind in (None, model.kind) and all(word in model.can for word in capabilities)
    ]
    now = time.time()
    if as_json:
        for name, model in rows:
            click.echo(json.dumps(model_view.record(name, model, now)))
    elif rows:
        _print_table(rows, now)
    else:
        click.echo("No such models are known by name. The whole catalogue: gateway models list --all")


@models.command()
@json_option
@click.pass_context
def names(ctx: click.Context, as_json: bool) -> None:
    """List names that stand for models, and where they lead. They are from the config and the admin API. With --json one object per line."""
    from gateway.cli.model_names import print_names, record

    entries = _entries(ctx).values()
    if as_json:
        for entry in entries:
            click.echo(json.dumps(record(entry)))
    elif entries:
        print_names([*entries])
    else:
        click.echo("There are no names but those of providers: `provider/model`. See gateway models list.")


@models.command()
@click.argument("name")
@json_option
@click.pass_context
def show(ctx: click.Context, name: str, as_json: bool) -> None:
    """Show all that is known of a model. NAME is `provider/model`, a name of the config or the admin API, or a model's own name.

    It also tells where the name is from, where it leads, and whether it may be called.
    """
    from gateway.cli import model_names, model_view
    from gateway.document import did_you_mean

    catalogue, entries = _catalogue(ctx), _stored_entries(ctx)
    found = _found(ctx, catalogue, entries, name)
    entry = entries.get(name)
    if not found and entry is None:
        everything = [name for name, _ in _rows(ctx, catalogue, everything=True)]
        names = {*everything, *entries, *(full.partition("/")[2] for full in everything)}
        raise click.ClickException(f"Nothing is known of '{name}'{did_you_mean(name, names)}")
    now, providers = time.time(), _providers(ctx)
    if entry is not None and not as_json:
        click.echo(model_names.sentence(entry))
    for full, model in found:
        if not as_json:
            _print_page(full, model, now)
            continue
        asked = name if entry is not None else full
        where = model_names.told(asked, entries, enabled_provider=full.partition("/")[0] in providers)
        may = where["enabled"] and (full not in entries or entries[full].enabled)
        click.echo(json.dumps({**model_view.record(full, model, now), **where, "enabled": may}))


@models.command()
@click.option("--live", is_flag=True, help="Also ask each provider which models it has.")
@json_option
@click.pass_context
def check(ctx: click.Context, live: bool, as_json: bool) -> None:
    """Check every name in the config that stands for models. They must be known, not retired, priced, and able to replace each other.

    With --live it also tells what providers have that is not known here, and the other way round. Exits with 1 when
    there is a problem.
    """
    from gateway.cli import model_check

    config, providers = config_of(ctx), _providers(ctx)
    catalogue = _catalogue(ctx)
    problems = model_check.problems(config, providers, catalogue, time.time())
    differences: Sequence[Difference] = ()
    if live:
        more, differences = model_check.ask(config, catalogue)
        problems += more
    if as_json:
        told = [
            {"provider": one.provider, "new": list(one.new), "gone": list(one.gone)} for one in differences
        ]
        click.echo(json.dumps({"ok": not problems, "problems": problems, "differences": told}))
    else:
        _print_check(len(config.models), problems, differences)
    ctx.exit(1 if problems else 0)


def _catalogue(ctx: click.Context) -> ModelCatalogue:
    from gateway.catalogue import ModelCatalogue

    return ModelCatalogue.load(config_of(ctx).settings.prices.book if path_of(ctx).exists() else None)


def _entries(ctx: click.Context) -> Mapping[str, Entry]:
    """The names in force, those that the admin API has made included."""
    from gateway.cli.work import on_database
    from gateway.routing.live import layered
    from gateway.store.model_routes import all_routes

    return layered(config_of(ctx).models, on_database(ctx, all_routes))


def _stored_entries(ctx: click.Context) -> Mapping[str, Entry]:
    """As `_entries`, without bringing the database up to date, and for a look at what is known without one."""
    from gateway.cli.db import on_database
    from gateway.errors import Unavailable
    from gateway.routing.live import layered
    from gateway.store.migrate import needs_upgrade
    from gateway.store.model_routes import StoredRoute, all_routes

    if not path_of(ctx).exists():
        return {}

    async def stored(database: Database) -> Sequence[StoredRoute]:
        return () if await needs_upgrade(database) else await all_routes(database)

    try:
        rows = on_database(ctx, stored)
    except Unavailable as error:
        click.echo(f"names of the admin API are not among these: {error.message}", err=True)
        rows = ()
    return layered(config_of(ctx).models, rows)


def _providers(ctx: click.Context) -> dict[str, Provider]:
    """The enabled providers by the name of their table; none where there is no config."""
    if not path_of(ctx).exists():
        return {}
    return {provider.name: provider for provider in registry_of(ctx).facade.providers()}


def _rows(
    ctx: click.Context, catalogue: ModelCatalogue, *, everything: bool = False, provider: str | None = None
) -> list[tuple[str, Model]]:
    """The models asked for, under the names by which they are called."""
    providers = _providers(ctx)
    if everything or provider not in (None, *providers):
        names = catalogue.providers if everything else (provider or "",)
        if provider is not None and provider not in (*catalogue.providers, *providers):
            raise click.UsageError(
                f"no provider '{provider}' is known; known are {', '.join({**dict.fromkeys(catalogue.providers), **providers})}"
            )
        return [(f"{one}/{model}", known) for one in names for model, known in catalogue.models(one).items()]
    return [row for name in providers if provider in (None, name) for row in _of(providers[name], catalogue)]


def _of(provider: Provider, catalogue: ModelCatalogue) -> list[tuple[str, Model]]:
    """The models that a provider of the config is known to have."""
    from gateway.catalogue import Model

    names = provider.models or catalogue.models(provider.catalogue)
    unknown = {name: Model(name=name, provider=provider.catalogue) for name in names}
    return [
        (f"{provider.name}/{name}", catalogue.find(provider.catalogue, name) or unknown[name])
        for name in names
    ]


def _found(
    ctx: click.Context, catalogue: ModelCatalogue, entries: Mapping[str, Entry], name: str
) -> list[tuple[str, Model]]:
    """Everything that a name may mean: the targets that it has been given, else a provider's model, else any."""
    from gateway.routing.live import targets_of

    providers, entry = _providers(ctx), entries.get(name)
    if entry is not None and entry.route is not None:
        pairs = [(target.provider, target.model) for target in targets_of(entry.route)]
    elif name.partition("/")[0] in {*providers, *catalogue.providers}:
        pairs = [(name.partition("/")[0], name.partition("/")[2])]
    else:
        pairs = [
            (provider, name)
            for provider in {**providers, **dict.fromkeys(catalogue.providers)}
            if (any_of := _known(providers, catalogue, provider, name)) and any_of.kind
        ]
        pairs = [pair for pair in pairs if pair[0] in providers] or pairs
    return [
        (f"{provider}/{model}", known)
        for provider, model in pairs
        if (known := _known(providers, catalogue, provider, model))
    ]


def _known(
    providers: dict[str, Provider], catalogue: ModelCatalogue, provider: str, model: str
) -> Model | None:
    enabled = providers.get(provider)
    return catalogue.find(provider if enabled is None else enabled.catalogue, model)


def _print_table(rows: Sequence[tuple[str, Model]], now: float) -> None:
    from rich.console import Console
    from rich.table import Table

    from gateway.cli import model_view

    console = Console(highlight=False)
    cells = [
        (
            model.kind or "",
            " ".join(word for word in model.can if word != "streaming").replace("_", "-"),
            model_view.count(model.context),
            model_view.cost(model.price(now)),
            model_view.note(model, now),
        )
        for _, model in rows
    ]
    widths = [max(len(row[n]) for row in cells) for n in range(len(_HEADINGS))]
    widths = [max(len(heading), width) for heading, width in zip(_HEADINGS, widths, strict=True)]
    left = console.width - max(len(name) for name, _ in rows)
    shown: set[int] = set()
    for n in _WORTH:
        if left >= 2 + min(widths[n], _SHORTEST):
            shown.add(n)
            left -= 2 + widths[n]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("model", style="bold", no_wrap=True)
    for n in sorted(shown):
        justify = "right" if _HEADINGS[n] in _NUMBERS else "left"
        widest = max(_SHORTEST, widths[n] + min(left, 0)) if _HEADINGS[n] == "can" else None
        table.add_column(_HEADINGS[n], justify=justify, no_wrap=True, max_width=widest)
    for (name, model), row in zip(rows, cells, strict=True):
        table.add_row(name, *(row[n] for n in sorted(shown)), style="dim" if model.is_retired(now) else None)
    console.print(table)


def _print_page(name: str, model: Model, now: float) -> None:
    from rich.console import Console
    from rich.table import Table

    from gateway.cli import model_view

    console = Console(highlight=False)
    console.print(name, style="bold", markup=False)
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for heading, text in model_view.page(model):
        if text:
            table.add_row(heading, text)
    for price in model.prices:
        held = price.valid_from <= now < price.valid_until
        table.add_row(
            "price, $ per M" if price is model.prices[0] else "",
            f"{model_view.period(price)}: {model_view.rates(price)}",
            style=None if held else "dim",
        )
    if not model.prices:
        table.add_row("price", "not known", style="yellow")
    console.print(table)


def _print_check(names: int, problems: Sequence[str], differences: Sequence[Difference]) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    for difference in differences:
        for style, word, models in (("green", "new", difference.new), ("yellow", "gone", difference.gone)):
            if models:
                console.print(f"[{style}]{word}[/] at {difference.provider}:", ", ".join(models), markup=True)
    for problem in problems:
        click.echo(problem, err=True)
    if not problems:
        console.print(f"[green]the targets of {names} name{'s' * (names != 1)} are fine[/]")
