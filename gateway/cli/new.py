"""`gateway new`: start a plugin package of one's own, with tests that pass."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template

import click

from gateway.errors import GatewayError
from gateway.loader import Catalogue

KINDS: Mapping[str, str] = {
    "provider": "Sends chats to {title}.",
    "auth": "Recognises callers by {title} tokens.",
    "middleware": "Refuses models that are blocked.",
    "billing": "Keeps a total of calls and cost for each tenant.",
    "sink": "Posts settled calls to {title}.",
    "service": "Adds a route that greets.",
}
"""What the plugin of each kind does until its author changes it."""

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_TEMPLATES = files("gateway") / "templates" / "plugin"


@click.command()
@click.argument("kind", type=click.Choice(list(KINDS)))
@click.argument("name")
@click.option(
    "--path",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Folder to make the package's folder in.  [default: here]",
)
def new(kind: str, name: str, path: Path) -> None:
    """Start a plugin package of your own.

    Writes the folder gateway-NAME: a complete package whose tests pass, for you to change.
    """
    _check(kind, name)
    folder = path / f"gateway-{name}"
    if folder.exists():
        raise GatewayError(f"{folder} exists already; choose another name, or another --path")
    try:
        for file, text in plugin_files(kind, name):
            target = folder / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise GatewayError(f"{error.filename} cannot be written: {error.strerror}") from None
    click.echo(f"Wrote {folder}: the plugin {kind}.{name}. Now:\n")
    click.echo(f"  cd {folder}\n  pip install -e '.[dev]'\n  pytest\n")


def plugin_files(kind: str, name: str) -> Iterator[tuple[str, str]]:
    """Give the files of a new package: their paths below its folder, and their text."""
    values = _values(kind, name)
    source = f"src/{values['package']}"
    yield "pyproject.toml", _filled("pyproject.toml", values)
    yield "README.md", _filled("README.md", values)
    yield ".gitignore", _filled("gitignore", values)
    yield f"{source}/__init__.py", _filled("init.py", values)
    yield f"{source}/plugin.py", _filled(f"{kind}.py", values)
    yield f"{source}/py.typed", ""
    if kind == "billing":
        yield f"{source}/migrations/{values['table']}_0001.py", _filled("billing_migration.py", values)
    yield f"tests/test_{values['table']}.py", _filled(f"{kind}_test.py", values)


def _check(kind: str, name: str) -> None:
    if name.startswith("gateway-"):
        raise click.BadParameter(f"leave out the prefix: {name.removeprefix('gateway-')}", param_hint="NAME")
    if not _NAME.fullmatch(name):
        problem = (
            f"'{name}' must be lower-case letters, digits and single '-', beginning with a letter: acme-cloud"
        )
        raise click.BadParameter(problem, param_hint="NAME")
    if f"{kind}.{name}" in (known := Catalogue()):
        home = known.distribution(f"{kind}.{name}")
        problem = f"{home} has the plugin {kind}.{name} already; choose another name"
        raise click.BadParameter(problem, param_hint="NAME")
    if find_spec(package := _package(name)) is not None:
        problem = f"a package {package} is installed already, and would hide the new one; choose another name"
        raise click.BadParameter(problem, param_hint="NAME")


def _package(name: str) -> str:
    return "gateway_" + name.replace("-", "_")


def _values(kind: str, name: str) -> dict[str, str]:
    from gateway import __version__

    words = name.replace("-", " ").title()
    table = name.replace("-", "_")
    values = {
        "class_name": words.replace(" ", "") + kind.title(),
        "distribution": f"gateway-{name}",
        "id": f"{kind}.{name}",
        "name": name,
        "package": _package(name),
        "summary": KINDS[kind].format(title=words),
        "table": table,
        "title": words,
        "variable": table.upper(),
        "version": __version__,
    }
    return {
        **values,
        "settings": _filled(f"{kind}_settings.md", values).rstrip(),
        "snippet": _filled(f"{kind}_snippet.toml", values).rstrip(),
    }


def _filled(template: str, values: Mapping[str, str]) -> str:
    text = (_TEMPLATES / f"{template}.tmpl").read_text(encoding="utf-8")
    return Template(text).substitute(values)
