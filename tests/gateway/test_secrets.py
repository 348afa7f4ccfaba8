"""Secrets: where they come from, and that nothing but `reveal` shows them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from gateway import Secret
from gateway.secrets import MissingSecret

CANARY = "sk-canary-not-a-real-key"


class Holder(BaseModel):
    one: Secret | None = None
    several: list[Secret] = []
    headers: dict[str, str | Secret] = {}


def cause(error: ValidationError) -> BaseException:
    (details,) = error.errors()
    found = details.get("ctx", {})["error"]
    assert isinstance(found, BaseException)
    return found


def test_a_literal_is_the_secret() -> None:
    assert Holder.model_validate({"one": CANARY}).one == Secret(CANARY)


def test_a_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE_KEY", f" {CANARY}\n")
    holder = Holder.model_validate({"one": {"env": "SAMPLE_KEY"}})
    assert holder.one is not None
    assert holder.one.reveal() == CANARY


def test_a_secret_comes_from_a_file_beside_the_config(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(CANARY + "\n")
    holder = Holder.model_validate({"one": {"file": "key"}}, context={"folder": tmp_path})
    assert holder.one is not None
    assert holder.one.reveal() == CANARY


def test_secrets_work_in_lists_and_mappings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE_KEY", CANARY)
    reference = {"env": "SAMPLE_KEY"}
    holder = Holder.model_validate(
        {"several": ["literal", reference], "headers": {"X": reference, "Y": "plain"}}
    )
    assert [secret.reveal() for secret in holder.several] == ["literal", CANARY]
    assert holder.headers == {"X": Secret(CANARY), "Y": "plain"}


@pytest.mark.parametrize("value", ["", "  "])
def test_a_variable_that_is_empty_counts_as_unset(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SAMPLE_KEY", value)
    with pytest.raises(ValidationError) as raised:
        Holder.model_validate({"one": {"env": "SAMPLE_KEY"}})
    error = cause(raised.value)
    assert isinstance(error, MissingSecret)
    assert error.variable == "SAMPLE_KEY"
    assert str(error) == "environment variable SAMPLE_KEY is not set"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "secret file key cannot be read: No such file or directory"),
        (b" \n", "secret file key is empty"),
        (b"\xff\xfe", "secret file key is not UTF-8 text"),
    ],
)
def test_a_file_without_a_secret_is_told_apart(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    with pytest.raises(ValidationError) as raised:
        Holder.model_validate({"one": {"file": "key"}}, context={"folder": tmp_path})
    error = cause(raised.value)
    assert isinstance(error, MissingSecret)
    assert error.variable is None
    assert str(error) == message


@pytest.mark.parametrize(
    "value", ["", 3, {}, {"env": ""}, {"env": "A", "file": "b"}, {"variable": "A"}, ["x"]]
)
def test_anything_else_is_refused_without_being_repeated(value: object) -> None:
    with pytest.raises(ValidationError) as raised:
        Holder.model_validate({"one": value})
    error = cause(raised.value)
    assert not isinstance(error, MissingSecret)
    assert str(error) == 'must be a string that is not empty, { env = "NAME" } or { file = "path" }'


def test_only_reveal_shows_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE_KEY", CANARY)
    holder = Holder.model_validate({"one": {"env": "SAMPLE_KEY"}, "several": [CANARY], "headers": {}})
    shown = [
        repr(holder),
        str(holder),
        f"{holder.one} {holder.several}",
        repr(holder.model_dump()),
        holder.model_dump_json(),
        json.dumps(Holder.model_json_schema()),
    ]
    assert CANARY not in " ".join(shown)


def test_what_is_shown_instead_is_where_it_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE_KEY", CANARY)
    holder = Holder.model_validate({"one": {"env": "SAMPLE_KEY"}, "several": [CANARY]})
    assert holder.model_dump() == {"one": {"env": "SAMPLE_KEY"}, "several": ["**********"], "headers": {}}


def test_secrets_compare_and_hash_by_value() -> None:
    assert {Secret("a"), Secret("a")} == {Secret("a")}
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
