"""What can be set for a service that speaks OpenAI's API."""

from __future__ import annotations

from difflib import get_close_matches

import msgspec
from pydantic import Field, field_validator

from gateway.errors import ConfigError
from gateway.provider import ServiceConfig
from gateway_openai.presets import ALL_MEDIA, PRESETS, Preset


class OpenAIConfig(ServiceConfig):
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
    organization: str | None = Field(default=None, description="Sent as `openai-organization`.")
    project: str | None = Field(default=None, description="Sent as `openai-project`.")

    @field_validator("preset")
    @classmethod
    def _known(cls, preset: str | None) -> str | None:
        if preset is not None and preset not in PRESETS:
            near = get_close_matches(preset, PRESETS, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(PRESETS)}"
            raise ValueError(f"there is no preset '{preset}', {hint}")
        return preset


def resolve(name: str, config: OpenAIConfig) -> Preset:
    """Find out which service is meant by the preset, the base URL, and the instance's own name.

    Raises `ConfigError` when that service needs an API key and none is given.
    """
    chosen = config.preset or (name if name in PRESETS else None)
    if config.base_url is None:
        preset = PRESETS[chosen or "openai"]
        if preset.needs_key and not (config.keys() or config.vault):
            raise ConfigError([f"api_key: required by the preset '{chosen or 'openai'}'"])
        return preset
    # An address of one's own may need no key. What is known of the service still holds.
    # Of an unknown one, calls that it cannot do are refused by itself.
    unknown = Preset(
        "",
        catalogue=name,
        strange=(),
        moderates=True,
        realtime=True,
        rerank="cohere.rerank",
        media=ALL_MEDIA,
    )
    known = PRESETS[chosen] if chosen else unknown
    return msgspec.structs.replace(known, base_url=config.base_url, needs_key=False)
