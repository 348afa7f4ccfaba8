"""What is taken as a credential, and of which kind it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from gateway.errors import ConfigError, InvalidRequest
from gateway.provider import ServiceConfig, Together
from gateway.types import CredentialKind
from gateway.vault.given import hint_of, packed, read_given, takes, unpacked

SETTINGS = ServiceConfig.model_fields
KEY = Together(("api_key",)).as_kind("api_key", SETTINGS)
PAIR = Together(("base_url", "headers"), ("models",), shown=("base_url",)).as_kind("pair", SETTINGS)


class Service:
    """A provider that takes a key, or two texts and perhaps a third."""

    name = "acme"
    takes_vault = True
    has_credentials = False
    credential_kinds: Sequence[CredentialKind] = (KEY, PAIR)

    def use_credentials(self, held: Any, report: Any) -> None:
        raise NotImplementedError

    def credential_hint(self, kind: str, fields: Mapping[str, str]) -> str:
        if fields.get("base_url") == "nowhere":
            raise ConfigError(["base_url: is nowhere"])
        return next(iter(fields.values()))

    async def try_credential(self, kind: str, fields: Mapping[str, str]) -> bool:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"api_key": "sk-fake"}, "api_key"),
        ({"base_url": "one", "headers": "two"}, "pair"),
        ({"models": "three", "headers": "two", "base_url": "one"}, "pair"),
    ],
)
def test_the_names_of_the_fields_tell_the_kind(fields: dict[str, object], kind: str):
    given = read_given(Service(), fields)
    assert (given.kind, given.fields) == (kind, fields)
    assert unpacked(kind, packed(kind, given.fields)) == fields
    assert repr(given) == f"Given({kind})"


@pytest.mark.parametrize(
    "fields", [{}, {"base_url": "one"}, {"api_key": "k", "models": "m"}, {"api_key": "k", "none": "such"}]
)
def test_other_fields_are_refused_with_what_is_taken(fields: dict[str, object]):
    with pytest.raises(InvalidRequest, match="takes api_key; or base_url with headers") as refused:
        read_given(Service(), fields)
    assert refused.value.code == "unknown_credential"


def test_what_is_taken_is_said_in_words():
    assert takes(Service()) == "api_key; or base_url with headers (and models)"


@pytest.mark.parametrize("value", ["", " ", "two\nlines", "schlüssel", "x" * 9000, "{no json"])
def test_a_field_that_cannot_be_is_refused_and_not_repeated(value: str):
    for fields in ({"api_key": value}, {"base_url": "one", "headers": value}):
        with pytest.raises(InvalidRequest) as refused:
            read_given(Service(), fields)
        assert not value.strip() or value not in refused.value.message


def test_json_may_be_an_object_or_a_text_of_many_lines():
    for value in ({"a": "é"}, '{\n "a": "é"\n}\n'):
        assert read_given(Service(), {"api_key": value}).fields == {"api_key": '{"a": "\\u00e9"}'}


def test_what_the_provider_cannot_read_is_refused_in_its_words():
    with pytest.raises(InvalidRequest, match="base_url: is nowhere"):
        read_given(Service(), {"base_url": "nowhere", "headers": "two"})


def test_of_a_short_secret_nothing_is_shown():
    assert hint_of("hunter2") == "…"
    assert hint_of("sk-fake-0123456789-abcdefghij") == "sk-…ghij"
