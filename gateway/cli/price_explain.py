"""`gateway prices explain`: the sum behind a call's charge, line by line."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import json_option
from gateway.cli.pricing import with_pricing
from gateway.errors import GatewayError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.catalogue.lines import Line
    from gateway.cli.pricing import Priced

_FEMTO = 15
_NANO = 9


@click.command()
@click.argument("call", metavar="CALL")
@json_option
@click.pass_context
def explain(ctx: click.Context, call: str, as_json: bool) -> None:
    """Show every line of the sum that a call was charged. CALL may be the beginning of an id, or its end.

    Exits with 1 when the book or the selling price that made it is not at hand any more.
    """

    async def work(priced: Priced) -> dict[str, Any]:
        from gateway.ledger.explain import explain as told_of
        from gateway.store.calls import find_calls
        from gateway.store.price_adjustments import adjustments_of

        found = await find_calls(priced.database, call)
        if len(found) != 1:
            count = "There is no call" if not found else "There are several calls"
            raise GatewayError(f"{count} with the id {call!r}. List calls with: gateway calls", status=404)
        row = found[0]
        told = told_of(row, priced.catalogues.get(row.provider or "", row.provider or ""), priced.pricing)
        changes = await adjustments_of(priced.database, row.id)
        return {
            "call": row.id,
            "tenant": row.tenant,
            "model": f"{row.provider}/{row.upstream_model}",
            "estimated": bool(row.estimated),
            "price_version": told.price_version,
            "cost_lines": _lines(told.cost_lines),
            "cost": _nano(told.cost),
            "selling": told.selling,
            "charge_lines": _lines(told.charge_lines),
            "charge": _nano(told.charge),
            "adjustments": [
                {"reason": one.reason, "cost": _nano(one.cost), "charge": _nano(one.charge)}
                for one in changes
            ],
            "charge_now": _nano((told.charge or 0) + sum(one.charge for one in changes)),
            "problems": list(told.problems),
        }

    told = with_pricing(ctx, work)
    if as_json:
        click.echo(json.dumps(told))
    else:
        _print(told)
    ctx.exit(1 if told["problems"] else 0)


def _print(told: dict[str, Any]) -> None:
    usage = ", usage estimated" if told["estimated"] else ""
    click.echo(f"{told['call']}  {told['tenant']}  {told['model']}{usage}")
    _part(f"cost, by version {told['price_version']}", told["cost_lines"], told["cost"])
    _part(f"charge, by {told['selling'] or 'the cost'}", told["charge_lines"], told["charge"])
    for one in told["adjustments"]:
        click.echo(f"\nadjusted: {one['reason']}\n  {'charge':<54}{one['charge']:>20}")
    if told["adjustments"]:
        click.secho(f"  {'charge now':<54}{told['charge_now']:>20}", bold=True)
    for problem in told["problems"]:
        click.echo(problem, err=True)


def _part(title: str, lines: Sequence[dict[str, Any]], total: str | None) -> None:
    if total is None:
        return
    click.echo(f"\n{title}")
    for line in lines:
        of = "" if line["quantity"] is None else f"{line['quantity']:,} at {line['rate']}"
        per = "" if line["per"] in (None, 1) else f" / {line['per']:,}"
        click.echo(f"  {line['what']:<34}{of + per:<20}{line['amount']:>20}")
    click.secho(f"  {'':<54}{total:>20}", bold=True)


def _lines(lines: Sequence[Line]) -> list[dict[str, Any]]:
    return [
        {
            "what": line.what,
            "quantity": line.quantity,
            "rate": _nano(line.rate),
            "per": line.per if line.rate is not None else None,
            "amount": _exact(line.amount, _FEMTO),
        }
        for line in lines
    ]


def _nano(amount: int | None) -> str | None:
    return None if amount is None else _exact(amount, _NANO)


def _exact(amount: int, decimals: int) -> str:
    """A whole number of 10⁻ⁿ as a decimal number, exactly."""
    text = f"{Decimal(amount).scaleb(-decimals):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
