"""What may be said of an API key on the command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
import msgspec

from gateway.cli.times import Moment

if TYPE_CHECKING:
    from gateway.store.key_rows import Budget, KeySettings

F = TypeVar("F", bound=Callable[..., Any])

_BUDGET: Final = re.compile(
    r"(?P<amount>\d+(?:\.\d+)?) ?(?P<currency>[A-Z]{3,12})?(?:/(?P<period>day|week|month|total))?"
)
CLEARABLE: Final = ("scopes", "models", "endpoints", "networks", "limits", "budget", "expires")
"""What an update can take away."""

_LISTS: Final = ("scopes", "models", "endpoints", "networks")
_LIMITS: Final = ("requests_per_minute", "tokens_per_minute", "concurrent")


class BudgetType(click.ParamType["Budget"]):
    """`25`, `25 EUR` or `25 EUR/week`."""

    name = "budget"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Budget:
        from gateway.store.key_rows import Budget

        match = _BUDGET.fullmatch(str(value).strip())
        if match is None:
            self.fail(
                f"{value!r} is no budget: write it as 25, '25 EUR' or 25/week (day, week, month or total)",
                param,
                ctx,
            )
        given = {name: text for name, text in match.groupdict().items() if text is not None}
        return msgspec.convert(given, Budget)


_OPTIONS: Final = (
    click.option(
        "--scope",
        "scopes",
        multiple=True,
        help="Give this permission; may be repeated. A new key has calls.make if nothing is said.",
    ),
    click.option(
        "--model", "models", multiple=True, help="Allow only this model or `prefix*`; may be repeated."
    ),
    click.option(
        "--endpoint", "endpoints", multiple=True, help="Allow only this path or `/prefix*`; may be repeated."
    ),
    click.option(
        "--network",
        "networks",
        multiple=True,
        help="Allow only this address or network, as 10.0.0.0/8; may be repeated.",
    ),
    click.option("--requests-per-minute", type=click.IntRange(1), help="How many calls it may make."),
    click.option("--tokens-per-minute", type=click.IntRange(1), help="How many tokens it may use."),
    click.option("--concurrent", type=click.IntRange(1), help="How many calls it may make at the same time."),
    click.option(
        "--budget",
        type=BudgetType(),
        help="What it may spend, as '25 USD/month'. Kept by billing.budgets.",
    ),
    click.option(
        "--expires", "expires_at", type=Moment(future=True), help="When it ends: 30d, 12h or an ISO time."
    ),
)


def key_options(command: F) -> F:
    """Add the options that a key may be created and changed with; `settings_from` reads them."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def settings_from(
    given: dict[str, Any], *, clear: Sequence[str] = (), limits: dict[str, Any] | None = None
) -> KeySettings:
    """Make settings of the options that were given; `limits` are those that the key has. Raises `InvalidRequest`."""
    from gateway.identity.keys import check_scopes
    from gateway.store.key_rows import KeySettings
    from gateway.types import CallLimits

    values: dict[str, Any] = dict.fromkeys("expires_at" if name == "expires" else name for name in clear)
    values |= {name: given[name] for name in _LISTS if given[name]}
    values |= {name: given[name] for name in ("budget", "expires_at") if given[name] is not None}
    changed = {name: given[name] for name in _LIMITS if given[name] is not None}
    if changed:
        values["limits"] = CallLimits(**{**({} if "limits" in clear else limits or {}), **changed})
    if given.get("name") is not None:
        values["name"] = given["name"]
    if values.get("scopes"):
        check_scopes(values["scopes"], held=None)
    return KeySettings(**values)
