"""Which service a table in plugins.toml means."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import ValidationError

import gateway_openai
from gateway.errors import ConfigError
from gateway_openai.config import OpenAIConfig, resolve
from gateway_openai.presets import PRESETS

README = (Path(gateway_openai.__file__).parent / "README.md").read_text("utf-8")


def config(**settings: Any) -> OpenAIConfig:
    return OpenAIConfig.model_validate(settings)


@pytest.mark.parametrize(
    ("name", "settings", "base_url", "catalogue"),
    [
        ("openai", {"api_key": "k"}, "https://api.openai.com/v1", "openai"),
        ("groq", {"api_key": "k"}, "https://api.groq.com/openai/v1", "groq"),
        ("mine", {"api_key": "k"}, "https://api.openai.com/v1", "openai"),
        ("mine", {"api_key": "k", "preset": "groq"}, "https://api.groq.com/openai/v1", "groq"),
        ("groq", {"api_key": "k", "preset": "xai"}, "https://api.x.ai/v1", "xai"),
        ("ollama", {}, "http://127.0.0.1:11434/v1", "local"),
        ("gpu", {"preset": "vllm", "base_url": "http://gpu:8000/v1/"}, "http://gpu:8000/v1", "local"),
        ("openai", {"base_url": "http://127.0.0.1:9/v1"}, "http://127.0.0.1:9/v1", "openai"),
        ("mine", {"base_url": "http://127.0.0.1:9/v1"}, "http://127.0.0.1:9/v1", "mine"),
    ],
)
def test_preset_address_and_name(name: str, settings: dict[str, Any], base_url: str, catalogue: str):
    found = resolve(name, config(**settings))
    assert (found.base_url, found.catalogue) == (base_url, catalogue)


@pytest.mark.parametrize("name", ["openai", "groq", "mine"])
def test_a_key_is_required_where_the_service_wants_one(name: str):
    with pytest.raises(ConfigError, match="api_key: required"):
        resolve(name, config())


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"preset": "opnai"}, "did you mean 'openai'"),
        ({"preset": "zzz"}, "known are openai, "),
        ({"base_url": "api.openai.com"}, "must be an address"),
        ({"base_url": "ftp://example.com"}, "must be an address"),
        ({"base_url": "https://user:pass@example.com/v1"}, "credentials belong into"),
        ({"base_url": "https://example.com/v1?key=1"}, "no user, query"),
        ({"headers": {"Content-Length": "1"}}, "cannot be set"),
        ({"api_key": ""}, "api_key"),
        ({"timeout": 3}, "timeout"),
    ],
    ids=str,
)
def test_bad_settings(settings: dict[str, Any], problem: str):
    with pytest.raises(ValidationError, match=problem):
        config(**settings)


def test_keys_are_kept_once_and_never_shown():
    settings = config(api_key="a-key", api_keys=["b-key", "a-key"], headers={"x": "c-key"})
    assert settings.keys() == ("a-key", "b-key")
    assert "-key" not in repr(settings).replace("api_key", "")
    assert "-key" not in settings.model_dump_json()


@pytest.mark.parametrize("name", PRESETS)
def test_presets(name: str):
    preset = PRESETS[name]
    url = urlsplit(preset.base_url)
    assert url.scheme == "https" or (url.hostname == "127.0.0.1" and not preset.needs_key)
    assert not preset.base_url.endswith("/")
    assert f"| `{name}` | `{preset.base_url}` |" in README


def test_the_readme_lists_no_other_presets():
    assert README.count("| `http") == len(PRESETS)
