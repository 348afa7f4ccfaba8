"""docs/matrix.md: written from what was seen, and compared with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from .explained import EXPLANATIONS, explain
from .registry import CLIENTS, Client
from .run import FEATURES, MODELS, Cell

PAGE = Path(__file__).parents[2] / "docs" / "matrix.md"
HEAD = """# Clients, providers, features

Which client works with which provider, as the tests see it: every client is the real package, told nothing but the
gateway's address and a key; every provider is played on the loopback by a server that speaks its protocol, checks what
arrives as strictly as the provider does, and cuts its streams into odd packets.

```console
$ make matrix           # every client, each in an environment of its own; needs Node.js for those from npm
$ make matrix-docs      # writes this page anew from what was seen
```

`make test` runs those of them that are among the development packages: {always}.

✓: it works. A dash: the client has no such feature. A number: it does not work, for the reason below.

| Feature | What is tried |
| --- | --- |
| plain | Instructions and a question; text, stop reason and usage of the answer. |
| stream | The same streamed, with multi-byte characters cut between packets. |
| tools | A tool call, streamed where the client can, its result, and the answer that tells the result. |
| parallel tools | The same with two calls at once. |
| image | A picture as base64; the model tells its size. |
| structured output | An answer after a JSON schema. |
| thinking | Thinking before a tool call; the signed thoughts come back to the model with the result. |
| error | The provider is busy: the client's own error for that, with the provider's message. |
| cut stream | The provider hangs up in the middle of a stream: the client raises an error. |
"""


def section(client: Client, cells: Sequence[Cell]) -> str:
    """Write the table of one client. Fails the test for an error that nothing explains."""
    assert len(cells) == len(MODELS) * len(FEATURES), f"{client.name} tried {len(cells)} cells only"
    shown: Mapping[tuple[str, str], str] = {(one.provider, one.feature): _show(client, one) for one in cells}
    lines = [f"## {client.title}", "", f"| | {' | '.join(FEATURES)} |", f"| --- |{' --- |' * len(FEATURES)}"]
    lines += [
        f"| **{provider}** | {' | '.join(shown[provider, feature] for feature in FEATURES)} |"
        for provider in MODELS
    ]
    absent = {one.feature: one.detail for one in cells if one.outcome == "absent"}
    lines += ["", *(f"- {feature}: {why}" for feature, why in absent.items())] if absent else []
    return "\n".join(lines) + "\n"


def _show(client: Client, cell: Cell) -> str:
    if cell.outcome == "pass":
        return "✓"
    if cell.outcome == "absent":
        return "-"
    number = explain(client.name, cell)
    assert number is not None, (
        f"{client.name} with {cell.provider}, {cell.feature}: {cell.detail}\n{cell.trace}\n"
        "Mend it, or explain it in tests/matrix/explained.py."
    )
    return str(number)


def page(sections: Mapping[str, str]) -> str:
    """Write the whole page of sections by the name of the client."""
    always = ", ".join(client.title for client in CLIENTS if client.always)
    notes = "\n".join(f"{number}. {one.text}" for number, one in enumerate(EXPLANATIONS, start=1))
    told = "\n".join(sections[client.name] for client in CLIENTS)
    return f"{HEAD.format(always=always)}\n{told}\n## Why not\n\n{notes}\n"
