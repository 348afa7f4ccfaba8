"""What can be set for a service that speaks OpenAI's API."""

from __future__ import annotations

from difflib import get_close_matches
from urllib.parse import urlsplit

import msgspec
from pydantic import Field, field_validator

from gateway import PluginConfig, Secret
from gateway.errors import ConfigError
from gateway_openai.presets import PRESETS, Preset

_OURS = frozenset(
    {"host", "connection", "content-length", "content-type", "transfer-encoding", "accept-encoding"}
)
"""Headers that the connection depends on, and nobody may set."""


class OpenAIConfig(PluginConfig):
    """Settings of one service."""

    preset: str | None = Field(
        default=None,
        description="Which service this is: a name from the list of presets. Default: the name of the table when it "
        "is one of them, else `openai`.",
        json_schema_extra={"enum": [*PRESETS, None]},
    )
    base_url: str | None = Field(
        default=None, description="Where the API is, up to and with `/v1`. Default: the preset's."
    )
    api_key: Secret | None = Field(default=None, description="The API key of the service.")
    api_keys: tuple[Secret, ...] = Field(
        default=(),
        description="Several API keys, used in turn. One that is refused or limited rests, and the next one is tried.",
    )
    organization: str | None = Field(default=None, description="Sent as `openai-organization`.")
    project: str | None = Field(default=None, description="Sent as `openai-project`.")
    headers: dict[str, Secret] = Field(
        default_factory=dict[str, Secret], description="More headers to send with every request."
    )
    models: tuple[str, ...] = Field(
        default=(),
        description="Models to list. Others can be called all the same. Default: those with a price.",
    )

    @field_validator("preset")
    @classmethod
    def _known(cls, preset: str | None) -> str | None:
        if preset is not None and preset not in PRESETS:
            near = get_close_matches(preset, PRESETS, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(PRESETS)}"
            raise ValueError(f"there is no preset '{preset}', {hint}")
        return preset

    @field_validator("base_url")
    @classmethod
    def _address(cls, base_url: str | None) -> str | None:
        if base_url is None:
            return None
        url = urlsplit(base_url)
        if url.scheme not in {"http", "https"} or not url.hostname:
            raise ValueError("must be an address such as https://api.example.com/v1")
        if url.query or url.fragment or url.username is not None:
            raise ValueError(
                "must hold no user, query or fragment; credentials belong into api_key or headers"
            )
        return base_url.rstrip("/")

    @field_validator("headers")
    @classmethod
    def _allowed(cls, headers: dict[str, Secret]) -> dict[str, Secret]:
        for name in headers:
            if name.lower() in _OURS:
                raise ValueError(f"the header '{name}' cannot be set")
        return headers

    def keys(self) -> tuple[str, ...]:
        """Return all API keys, each once."""
        given = [*([self.api_key] if self.api_key else []), *self.api_keys]
        return tuple(dict.fromkeys(key.reveal() for key in given))


def resolve(name: str, config: OpenAIConfig) -> Preset:
    """Find out which service is meant by the preset, the base URL, and the instance's own name.

    Raises `ConfigError` when that service needs an API key and none is given.
    """
    chosen = config.preset or (name if name in PRESETS else None)
    if config.base_url is None:
        preset = PRESETS[chosen or "openai"]
        if preset.needs_key and not config.keys():
            raise ConfigError([f"api_key: required by the preset '{chosen or 'openai'}'"])
        return preset
    # An address of one's own may need no key. What is known of the service still holds.
    known = PRESETS[chosen] if chosen else Preset("", catalogue=name)
    return msgspec.structs.replace(known, base_url=config.base_url, needs_key=False)
