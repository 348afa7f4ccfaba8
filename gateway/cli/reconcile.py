"""`gateway reconcile`: the ledger beside what a provider says. Reads the database, so the gateway need not run."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import json_option
from gateway.cli.times import Moment
from gateway.cli.work import on_database
from gateway.shown import print_rows
from gateway.types import NANO

if TYPE_CHECKING:
    from gateway.reconcile import Difference


class _Percent(click.ParamType[Decimal]):
    name = "percent"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            percent = Decimal(str(value).removesuffix("%"))
        except InvalidOperation:
            percent = Decimal("NaN")
        if not (percent.is_finite() and percent >= 0):
            self.fail(f"{value!r} is not a percentage: write it as 0.5%", param, ctx)
        return percent


def _columns(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    from gateway.reconcile.tabular import COLUMNS

    pairs = _pairs(ctx, parameter, values)
    for name in pairs:
        if name not in COLUMNS:
            raise click.BadParameter(f"{name!r} is not among: {', '.join(COLUMNS)}")
    return pairs


def _pairs(_ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for value in values:
        name, equals, meant = value.partition("=")
        if not (name and equals and meant):
            raise click.BadParameter(f"{value!r} is not of the form {parameter.metavar}")
        pairs[name] = meant
    return pairs


@click.command()
@click.argument(
    "files",
    metavar="[FILE]...",
    nargs=-1,
    type=click.Path(path_type=Path),
)
@click.option("--provider", help="The provider's name in plugins.toml; needed with FILEs.")
@click.option(
    "--billed", is_flag=True, help="In place of FILEs: compare what was billed, as invoices, with the ledger."
)
@click.option(
    "--format",
    type=click.Choice(["openai", "anthropic", "csv"]),
    help="What the files are.  [default: told by what is in them]",
)
@click.option(
    "--since", type=Moment(future=False), help="Only from then on: 7d or an ISO time, at midnight UTC."
)
@click.option("--until", type=Moment(future=False), help="And before then.")
@click.option(
    "--tolerance",
    type=_Percent(),
    default="0%",
    show_default=True,
    help="By how much of the provider's figure the ledger's may differ.",
)
@click.option(
    "--column",
    "columns",
    metavar="NAME=COLUMN",
    multiple=True,
    callback=_columns,
    help="Which column of a CSV holds what: time, model, request, calls, prompt_tokens, completion_tokens, "
    "cached_read_tokens, cached_write_tokens, images, seconds, characters, cost.  [default: that of the same name]",
)
@click.option(
    "--alias",
    "aliases",
    metavar="THEIRS=OURS",
    multiple=True,
    callback=_pairs,
    help="A model that the export names differently.",
)
@click.option(
    "--calls",
    type=click.IntRange(0, 1000),
    default=5,
    show_default=True,
    help="How many calls to name each time.",
)
@json_option
@click.pass_context
def reconcile(
    ctx: click.Context, files: tuple[Path, ...], billed: bool, as_json: bool, **options: Any
) -> None:
    """Compare the ledger with a provider's usage exports, or with what was billed; tell every difference with its calls.

    FILEs are pages of OpenAI's usage or costs, of Anthropic's usage or cost report, or CSV. Ends with 1 when a difference
    is beyond the tolerance. With --json one difference per line; costs are then in 10⁻⁹ of the currency.
    """
    if billed == bool(files) or (files and not options["provider"]):
        raise click.UsageError("Give --provider and FILEs, or --billed.")
    if billed:
        from gateway.cli.reconcile_billed import reconcile_billed

        reconcile_billed(ctx, options["since"], options["until"], as_json=as_json)
        return
    from gateway.reconcile import Question, Tolerance, read
    from gateway.reconcile import reconcile as compare

    exports = read(files, options["format"], options["columns"])
    question = Question(
        provider=options["provider"],
        since=options["since"],
        until=options["until"],
        tolerance=Tolerance(options["tolerance"]),
        aliases=options["aliases"],
        calls=options["calls"],
    )
    result = on_database(ctx, lambda database: compare(database, exports, question))
    if as_json:
        for difference in result.differences:
            click.echo(json.dumps(_record(difference)))
    else:
        if result.differences:
            print_rows([_row(difference) for difference in result.differences], as_json=False, none="")
        beyond = sum(difference.beyond for difference in result.differences)
        click.echo(
            f"{result.figures} figures of {result.days} {'day' if result.days == 1 else 'days'} compared: "
            f"{len(result.differences)} differ, {beyond} beyond the tolerance."
        )
    if any(difference.beyond for difference in result.differences):
        ctx.exit(1)


def _record(difference: Difference) -> dict[str, Any]:
    names = (
        "kind",
        "day",
        "model",
        "request",
        "measure",
        "ledger",
        "provider",
        "difference",
        "beyond",
        "calls",
    )
    return {name: getattr(difference, name) for name in names}


def _row(difference: Difference) -> dict[str, Any]:
    return {
        "day": difference.day,
        "model": difference.model,
        "request": difference.request,
        "measure": difference.measure,
        "ledger": _figure(difference, difference.ledger),
        "provider": _figure(difference, difference.provider),
        "difference": f"{_figure(difference, difference.difference)}{_share(difference)}",
        "beyond": difference.beyond,
        "calls": ", ".join(difference.calls),
    }


def _figure(difference: Difference, value: int) -> str:
    return f"{Decimal(value) / NANO:f}" if difference.measure == "cost" else str(value)


def _share(difference: Difference) -> str:
    if difference.provider == 0:
        return ""
    return f" ({Decimal(100 * difference.difference) / difference.provider:+.2f}%)"
