"""What can be set, and what is said about what is missing."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from gateway.errors import ConfigError
from gateway.plugin import Context
from gateway.upstream import Client
from gateway_azure import Azure
from gateway_azure.config import AzureConfig

KEY = {"api_key": "not-a-real-key"}
APPLICATION = {"tenant_id": "a-tenant", "client_id": "a-client", "client_secret": "not-a-real-secret"}


def config(**settings: Any) -> AzureConfig:
    return AzureConfig.model_validate(settings)


@pytest.mark.parametrize(
    ("settings", "endpoint"),
    [
        ({"resource": "mine"}, "https://mine.openai.azure.com"),
        ({"base_url": "https://mine.services.ai.azure.com/"}, "https://mine.services.ai.azure.com"),
        ({"base_url": "https://mine.openai.azure.com/openai/v1/"}, "https://mine.openai.azure.com"),
        ({"base_url": "https://apim.example.com/team/openai"}, "https://apim.example.com/team"),
    ],
)
def test_endpoints(settings: dict[str, str], endpoint: str) -> None:
    assert config(**settings).endpoint() == endpoint


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({**KEY}, "resource: required, or base_url"),
        ({**KEY, "resource": "a1", "base_url": "https://b.example.com"}, "resource: base_url says already"),
        ({"resource": "a1"}, "api_key: required, or managed_identity, or tenant_id"),
        ({"resource": "a1", "tenant_id": "t"}, "client_id: required with the other parts"),
        ({"resource": "a1", "tenant_id": "t"}, "client_secret: required with the other parts"),
        ({"resource": "a1", "managed_identity": True, **APPLICATION}, "managed_identity: needs no tenant_id"),
    ],
)
def test_what_is_missing_or_too_much(settings: dict[str, Any], problem: str) -> None:
    context = Context(client=Client(), database=None)  # pyright: ignore[reportArgumentType] - not used
    with pytest.raises(ConfigError, match=problem):
        Azure("azure", config(**settings), context)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"resource": "mine.openai.azure.com"}, "resource"),
        ({"api_version": "v1"}, "api_version"),
        ({"authority": "login.example.com"}, "authority"),
        ({"identity_url": "http://127.0.0.1/path"}, "identity_url"),
    ],
)
def test_bad_settings(settings: dict[str, str], field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        config(**settings)


def test_all_of_them_are_secrets() -> None:
    given = config(resource="a1", **KEY, **APPLICATION, headers={"x": "not-a-real-header"})
    assert sorted(given.secrets()) == ["not-a-real-header", "not-a-real-key", "not-a-real-secret"]
    assert "not-a-real" not in repr(given)
