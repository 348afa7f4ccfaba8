"""The structured fields of signatures (RFC 9651), read strictly: of what may stand there, what requests are signed with."""

from __future__ import annotations

import binascii
import re
from collections import Counter
from typing import Final

from msgspec import Struct

_KEY: Final = r"[a-z*][a-z0-9_.*-]*"
_PLAIN: Final = r"[\x20\x21\x23-\x5b\x5d-\x7e]*"
_STRING: Final = rf'"{_PLAIN}(?:\\["\\]{_PLAIN})*"'
"""Runs of plain characters at once: one alternative for each character costs far more."""
_VALUE: Final = rf"(?:-?[0-9]{{1,15}}|{_STRING}|:[A-Za-z0-9+/]*={{0,2}}:|\?[01]|[A-Za-z*][!-+\--:<-~]*)"
_PARAMETER: Final = re.compile(rf";[ ]*({_KEY})(?:=({_VALUE}))?")
_NAMES: Final = re.compile(r'"([@a-z0-9_-]+)"')
_INNER_LIST: Final = re.compile(
    rf'({_KEY})=\(([ ]*(?:"[@a-z0-9_-]+"(?:[ ]+"[@a-z0-9_-]+")*)?[ ]*)\)((?:;[ ]*{_KEY}(?:={_VALUE})?)*)'
)
_BYTES: Final = re.compile(rf"({_KEY})=:([A-Za-z0-9+/]*={{0,2}}:)")
_COMMA: Final = re.compile(r"[ \t]*,[ \t]*")
_LONGEST: Final = 4096


class Malformed(Exception):
    """A field that is not as its RFC has it, or says more than the gateway understands."""


class SignatureInput(Struct, frozen=True, gc=False):
    """One member of `signature-input`."""

    in_order: list[str]
    """The covered components."""
    covered: frozenset[str]
    params: dict[str, str | int | None]
    """Strings and integers as such; None for kinds that no parameter of a signature has."""
    text: str
    """Covered components and parameters, as the last line of the signature base has them."""


def read_inputs(field: str) -> dict[str, SignatureInput]:
    """The members of `signature-input` by their labels. Raises `Malformed`."""
    found: dict[str, SignatureInput] = {}
    for label, names, parameters in _members(field, _INNER_LIST, "signature-input"):
        covered = frozenset(in_order := _NAMES.findall(names))
        if len(covered) != len(in_order):
            raise Malformed("signature-input covers a component twice")
        params: dict[str, str | int | None] = {}
        given = _PARAMETER.findall(parameters)
        for key, value in given:
            params[key] = _bare(value)
        if len(params) != len(given):
            (twice, _), *_ = Counter(key for key, _ in given).most_common(1)
            raise Malformed(f"signature-input has the parameter '{twice}' twice")
        items = '" "'.join(in_order)
        signed = parameters
        if "; " in parameters:  # spaces that may be there, and are not signed
            signed = "".join(f";{key}={value}" if value else f";{key}" for key, value in given)
        text = f'("{items}"){signed}' if in_order else f"(){signed}"
        found[label] = SignatureInput(in_order, covered, params, text)
    return found


def read_bytes(field: str, name: str) -> dict[str, bytes]:
    """The members of a dictionary of byte sequences: `signature`, `content-digest`. Raises `Malformed`."""
    found: dict[str, bytes] = {}
    for label, text in _members(field, _BYTES, name):
        try:
            found[label] = binascii.a2b_base64(text[:-1], strict_mode=True)
        except binascii.Error as error:
            raise Malformed(f"{name} holds bytes that are not base64") from error
    return found


def _members(field: str, member: re.Pattern[str], name: str) -> list[tuple[str, ...]]:
    if len(field) > _LONGEST:
        raise Malformed(f"{name} is longer than {_LONGEST} characters")
    found: list[tuple[str, ...]] = []
    labels: set[str] = set()
    place, field = 0, field.strip(" ")
    while True:
        match = member.match(field, place)
        if match is None:
            raise Malformed(f"{name} is not understood from character {place + 1} on")
        if match[1] in labels:
            raise Malformed(f"{name} has the label '{match[1]}' twice")
        labels.add(match[1])
        found.append(match.groups())
        place = match.end()
        if place == len(field):
            return found
        comma = _COMMA.match(field, place)
        if comma is None:
            raise Malformed(f"{name} is not understood from character {place + 1} on")
        place = comma.end()


def _bare(value: str) -> str | int | None:
    first = value[:1]
    if first == '"':
        text = value[1:-1]
        return re.sub(r"\\(.)", r"\1", text) if "\\" in text else text
    return int(value) if first and first in "-0123456789" else None
