"""What somebody gives as a credential: one secret, or several fields that belong together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from gateway.errors import ConfigError, InvalidRequest

if TYPE_CHECKING:
    from gateway.protocols import UsesVault
    from gateway.types import CredentialKind

API_KEY: Final = "api_key"
LONGEST_FIELD: Final = 8192
_HINTED: Final = 20
"""Of shorter secrets nothing is shown: too little would be left to guess."""


class Given(Struct, frozen=True, kw_only=True):
    """A credential, before it is sealed."""

    kind: str
    fields: Mapping[str, str]
    hint: str
    """As people may see it: `sk-…wxyz`."""

    def __repr__(self) -> str:
        return f"Given({self.kind})"


def read_given(provider: UsesVault, fields: Mapping[str, object]) -> Given:
    """Read the fields of a credential; which kind it is, their names tell.

    A field may be an object where a setting is JSON, as the key of a service account. Raises `InvalidRequest`.
    """
    kind = kind_of(provider, fields)
    texts = {name: _text(name, value) for name, value in fields.items()}
    try:
        known_by = provider.credential_hint(kind.name, texts)
    except ConfigError as error:
        raise InvalidRequest("; ".join(error.problems), param="fields") from None
    return Given(kind=kind.name, fields=texts, hint=hint_of(known_by))


def kind_of(provider: UsesVault, fields: Mapping[str, object]) -> CredentialKind:
    """The kind that has all the fields, and needs no others. Raises `InvalidRequest`."""
    for kind in provider.credential_kinds:
        names = {field.name for field in kind.fields}
        needed = {field.name for field in kind.fields if field.required}
        if needed <= fields.keys() <= names:
            return kind
    raise InvalidRequest(
        f"The provider '{provider.name}' takes {takes(provider)}. Given: {', '.join(fields) or 'nothing'}.",
        param="fields",
        code="unknown_credential",
    )


def takes(provider: UsesVault) -> str:
    """Say what a provider takes: `api_key; or access_key_id with secret_access_key (and session_token)`."""
    kinds: list[str] = []
    for kind in provider.credential_kinds:
        more = ", ".join(field.name for field in kind.fields if not field.required)
        needed = " with ".join(field.name for field in kind.fields if field.required)
        kinds.append(f"{needed} (and {more})" if more else needed)
    return "; or ".join(kinds)


def hint_of(text: str) -> str:
    """A secret as people may see it."""
    return f"{text[:3]}…{text[-4:]}" if len(text) >= _HINTED else "…"


def packed(kind: str, fields: Mapping[str, str]) -> str:
    """Return the text that is sealed."""
    return fields[API_KEY] if kind == API_KEY else msgspec.json.encode(fields).decode()


def unpacked(kind: str, text: str) -> dict[str, str]:
    """Return the fields of a text that was sealed."""
    return {API_KEY: text} if kind == API_KEY else msgspec.json.decode(text, type=dict[str, str])


def _text(name: str, value: object) -> str:
    name, param = ("secret", "secret") if name == API_KEY else (name, "fields")
    if isinstance(value, str):
        value = value.strip()
        if value.startswith("{"):  # in one line, as the others are
            try:
                value = json.loads(value)
            except ValueError:
                raise InvalidRequest(f"{name}: begins as JSON, and is none.", param=param) from None
    text = value if isinstance(value, str) else json.dumps(value)
    if not text or len(text) > LONGEST_FIELD or not (text.isascii() and text.isprintable()):
        raise InvalidRequest(
            f"{name}: must be 1 to {LONGEST_FIELD} printable ASCII characters, as the provider showed it.",
            param=param,
        )
    return text
