"""Which services are asked for responses, and which for chats instead."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway_openai import OpenAI


@pytest.mark.parametrize(
    ("settings", "dialect"),
    [
        ({"preset": "openai"}, "openai.responses"),
        ({"preset": "groq"}, "openai.responses"),
        ({"preset": "mistral"}, None),
        ({}, None),  # an address of one's own: nobody knows
    ],
)
async def test_only_services_that_have_responses_are_asked_for_them(
    plugin: Callable[..., OpenAI], settings: dict[str, str], dialect: str | None
) -> None:
    (provider,) = plugin(**settings).register_providers()
    assert provider.dialects.get("responses") == dialect
    assert provider.dialects["chat"] == "openai.chat"
