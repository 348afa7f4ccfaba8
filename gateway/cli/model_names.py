"""Shows the names under which models are called, on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gateway.routing.live import targets_of

if TYPE_CHECKING:
    from gateway.routing.live import Entry


def record(entry: Entry) -> dict[str, Any]:
    """What programs get of one."""
    return {
        "id": entry.name,
        "targets": _targets(entry),
        "enabled": entry.enabled,
        "source": entry.source,
        "in_config": entry.in_config,
    }


def told(name: str, entries: Mapping[str, Entry], *, enabled_provider: bool) -> dict[str, Any]:
    """What programs get of where a name is from, and whether it may be called."""
    entry = entries.get(name)
    if entry is None or entry.route is None:
        source = "provider" if enabled_provider else "catalogue"
        return {"source": source, "in_config": False, "enabled": entry is None or entry.enabled}
    return {"source": entry.source, "in_config": entry.in_config, "enabled": entry.enabled}


def sentence(entry: Entry) -> str:
    """Where a name is from and leads, for people."""
    source = "from the config" if entry.source == "config" else "made over the admin API"
    if entry.route is None:
        return f"{entry.name}: {'enabled' if entry.enabled else 'disabled'} over the admin API"
    if entry.source == "api" and entry.in_config:
        own = entry.row is not None and entry.row.targets
        source += ", in place of the one in the config" if own else ", and leads where the config says"
    state = "" if entry.enabled else "; disabled, so nobody may call it"
    return f"{entry.name}: {source}{state}; leads to {', '.join(_targets(entry))}"


def print_names(entries: Sequence[Entry]) -> None:
    """Print a table."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("name", "source", "targets", ""):
        table.add_column(heading, no_wrap=heading == "name")
    for entry in entries:
        source = "api, over config" if entry.source == "api" and entry.in_config else entry.source
        state = "" if entry.enabled else "disabled"
        table.add_row(
            entry.name, source, ", ".join(_targets(entry)), state, style=None if entry.enabled else "dim"
        )
    Console(highlight=False).print(table)


def _targets(entry: Entry) -> list[str]:
    route = entry.route
    return [] if route is None else [f"{one.provider}:{one.model}" for one in targets_of(route)]
