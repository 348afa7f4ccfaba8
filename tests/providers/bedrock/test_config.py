"""What can be set, and what is said about what is missing."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from gateway.errors import ConfigError
from gateway_bedrock.config import BedrockConfig


def config(**settings: Any) -> BedrockConfig:
    return BedrockConfig.model_validate({"region": "eu-central-1", **settings})


@pytest.mark.parametrize(
    ("settings", "endpoint"),
    [
        ({}, "https://bedrock-runtime.eu-central-1.amazonaws.com"),
        ({"region": "cn-north-1"}, "https://bedrock-runtime.cn-north-1.amazonaws.com.cn"),
        ({"region": "us-gov-west-1"}, "https://bedrock-runtime.us-gov-west-1.amazonaws.com"),
        ({"base_url": "https://vpce-1.example.com/"}, "https://vpce-1.example.com"),
    ],
)
def test_endpoints(settings: dict[str, str], endpoint: str) -> None:
    assert config(**settings).endpoint() == endpoint


@pytest.mark.parametrize("region", ["", "Frankfurt", "eu-central-1.evil.example"])
def test_regions(region: str) -> None:
    with pytest.raises(ValidationError, match="region"):
        config(region=region)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({}, "api_key: required, or access_key_id with secret_access_key, or instance_role"),
        ({"access_key_id": "not-real"}, "secret_access_key: an access key has two halves"),
        ({"secret_access_key": "not-real"}, "access_key_id: an access key has two halves"),
        ({"api_key": "not-real", "session_token": "not-real"}, "session_token: goes with"),
    ],
)
def test_credentials_that_are_missing(settings: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        config(**settings).require_credentials()


def test_all_of_them_are_secrets() -> None:
    given = config(
        api_key="key-a",
        access_key_id="key-b",
        secret_access_key="key-c",
        session_token="key-d",
        headers={"x": "key-e"},
    )
    assert sorted(given.secrets()) == ["key-a", "key-b", "key-c", "key-d", "key-e"]
    assert "key-" not in repr(given)
