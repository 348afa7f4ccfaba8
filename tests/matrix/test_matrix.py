"""Every client, every provider, every feature: what works, and why the rest does not.

`make matrix` also runs the clients that need environments of their own. `make matrix-docs` writes docs/matrix.md.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from .environments import Missing, command
from .page import PAGE, section
from .registry import CLIENTS, Client
from .run import run, serving

HEAVY = (pytest.mark.matrix, pytest.mark.timeout(900))
EACH = [pytest.param(one, id=one.name, marks=() if one.always else HEAVY) for one in CLIENTS]


@pytest.mark.parametrize("client", EACH)
async def test_is_what_the_docs_say(client: Client, tmp_path: Path) -> None:
    try:
        how = await command(client)
    except Missing as missing:
        pytest.skip(f"{client.title}: {missing}")
    async with serving(tmp_path) as served:
        cells = await run(client.name, how, served)
    seen = section(client, cells)
    print(seen)
    assert seen in PAGE.read_text(encoding="utf-8"), "`make matrix-docs` writes docs/matrix.md anew"
