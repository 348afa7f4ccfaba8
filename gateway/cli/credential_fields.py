"""Asks for the parts of a credential. As arguments secrets would be seen by others, and remembered."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import click

if TYPE_CHECKING:
    from gateway.protocols import UsesVault
    from gateway.types import CredentialKind


def ask_fields(provider: UsesVault, kind: str | None, arguments: Sequence[str]) -> dict[str, Any]:
    """Return the fields by name: of the arguments, and the others asked for or from a pipe. Raises `UsageError`."""
    given = _read(provider, arguments)
    kinds = _fitting(provider, kind, given)
    if sys.stdin.isatty():
        return _asked(provider, kinds, given)
    text = sys.stdin.read().strip()
    fields = _object(text)
    if fields is not None and any(fields.keys() <= {field.name for field in one.fields} for one in kinds):
        return {**given, **fields}
    return {**given, **_single(kinds[0], given, text)}


def _read(provider: UsesVault, arguments: Sequence[str]) -> dict[str, Any]:
    known = {field.name: field for kind in provider.credential_kinds for field in kind.fields}
    given: dict[str, Any] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals or name not in known:
            raise click.UsageError(f"--field must be NAME=VALUE, NAME one of: {', '.join(known)}")
        if known[name].secret:
            raise click.UsageError(
                f"--field {name}: is a secret, which others would see here; leave it out, and it is asked for or "
                "read from standard input"
            )
        given[name] = value
    return given


def _fitting(provider: UsesVault, name: str | None, given: Mapping[str, Any]) -> list[CredentialKind]:
    """The kinds that it may be, after what was said."""
    names = [kind.name for kind in provider.credential_kinds]
    if name is not None and name not in names:
        raise click.UsageError(f"--kind: the provider '{provider.name}' takes {', '.join(names)}")
    kinds = [
        kind
        for kind in provider.credential_kinds
        if name in (None, kind.name) and given.keys() <= {field.name for field in kind.fields}
    ]
    if not kinds:
        raise click.UsageError(f"--field: no kind of credential has all of {', '.join(given)}")
    return kinds


def _asked(provider: UsesVault, kinds: Sequence[CredentialKind], given: Mapping[str, Any]) -> dict[str, Any]:
    kind = kinds[0]
    if len(kinds) > 1:
        choice = click.Choice([one.name for one in kinds])
        name = click.prompt(f"Kind of credential for {provider.name}", type=choice, default=kind.name)
        kind = next(one for one in kinds if one.name == name)
    fields = dict(given)
    for field in kind.fields:
        if field.name in fields:
            continue
        words = field.name.replace("_", " ") + ("" if field.required else " (if there is one)")
        value = click.prompt(
            f"{provider.name}: {words}",
            hide_input=field.secret,
            default=None if field.required else "",
            show_default=False,
        ).strip()
        if value:
            fields[field.name] = value
    return fields


def _object(text: str) -> dict[str, Any] | None:
    try:
        value: object = json.loads(text)
    except ValueError:
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _single(kind: CredentialKind, given: Mapping[str, Any], text: str) -> dict[str, str]:
    missing = [field.name for field in kind.fields if field.required and field.name not in given]
    if len(missing) == 1:
        return {missing[0]: text}
    raise click.UsageError(
        f"standard input: must be a JSON object with {', '.join(missing)}"
        if missing
        else "nothing is missing"
    )
