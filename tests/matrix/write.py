"""Runs every client, and writes docs/matrix.md: `python -m tests.matrix.write [CLIENT …]`.

With names of clients, only their sections are written anew.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Collection
from pathlib import Path
from tempfile import TemporaryDirectory

from .environments import command
from .page import PAGE, page, section
from .registry import CLIENTS, Client
from .run import run, serving


async def seen(client: Client) -> str:
    """Run a client, and write its section."""
    how = await command(client)
    with TemporaryDirectory() as folder:
        async with serving(Path(folder)) as served:
            cells = await run(client.name, how, served)
    return section(client, cells)


def before(client: Client) -> str:
    """Return a client's section as the page has it."""
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(f"## {client.title}\n")
    section, _, _ = rest.partition("\n## ")
    return f"## {client.title}\n{section}"


async def main(names: Collection[str]) -> None:
    """Write the page."""
    sections: dict[str, str] = {}
    for client in CLIENTS:
        if names and client.name not in names:
            sections[client.name] = before(client)
            continue
        sections[client.name] = await seen(client)
        print(sections[client.name], flush=True)
    PAGE.write_text(page(sections), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
