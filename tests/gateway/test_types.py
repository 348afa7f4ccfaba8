"""Principals: what they may be called, and what they may use."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.types import Principal


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("tenant", "t" * 65),
        ("tenant", "a\0b"),
        ("user", "u" * 201),
        ("user", "\ud800"),
        ("key", "k" * 41),
        ("key_name", "two\nlines"),
    ],
)
def test_names_that_the_ledger_cannot_hold_are_refused(field: str, name: str) -> None:
    names: dict[str, Any] = {"tenant": "t", field: name}
    with pytest.raises(ValueError, match=rf"Principal\.{field} must be printable"):
        Principal(authenticator="test", **names)


def test_names_that_fit() -> None:
    someone = Principal(tenant="t" * 64, authenticator="test", user="Zoë 😀", key_name="a key")
    assert someone.user == "Zoë 😀"


@pytest.mark.parametrize(
    ("models", "model", "allowed"),
    [
        (None, "anything", True),
        ((), "anything", False),
        (("fast",), "fast", True),
        (("fast",), "faster", False),
        (("openai/*",), "openai/gpt-5", True),
        (("openai/*",), "openai", False),
        (("*",), "anything", True),
    ],
)
def test_allowed_models(models: tuple[str, ...] | None, model: str, *, allowed: bool) -> None:
    assert Principal(tenant="t", authenticator="test", models=models).may_use(model) is allowed
