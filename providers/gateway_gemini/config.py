"""What can be set for Gemini: AI Studio by default, Vertex AI when a project is named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from gateway.errors import ConfigError
from gateway.provider import ServiceConfig, Together
from gateway.secrets import Secret
from gateway_gemini.account import read_account

AI_STUDIO = "https://generativelanguage.googleapis.com/v1beta"
_VERSIONS = ("v1beta", "v1", "v1alpha")
_REGIONS = frozenset({"us", "eu"})
"""Locations that are several regions together, with hosts of their own."""
_WORD = re.compile(r"[a-z0-9][a-z0-9.:-]{0,62}")


class GeminiConfig(ServiceConfig):
    """Settings of one service."""

    together: ClassVar[Mapping[str, Together]] = {
        **ServiceConfig.together,
        "service_account": Together(
            ("service_account",), hint=lambda fields: read_account(fields["service_account"]).private_key_id
        ),
        "access_token": Together(("access_token",)),
    }

    base_url: str | None = Field(
        default=None,
        description="Where the API is, up to and with its version. Default: AI Studio's, or the location's on Vertex AI.",
    )
    vertex: bool = Field(
        default=False,
        description="Use Vertex AI with an API key and no project (express mode). With a `project` it is Vertex AI anyway.",
    )
    project: str | None = Field(default=None, description="Google Cloud project: use Vertex AI.")
    location: str = Field(
        default="global",
        description="Vertex AI's location: `global`, a region such as `europe-west4`, or `us` or `eu`.",
    )
    service_account: Secret | None = Field(
        default=None,
        description='Vertex AI: the JSON key of a service account, best as `{ file = "key.json" }`. '
        "Needs `pip install 'asgi-gateway[vertex]'`.",
    )
    access_token: Secret | None = Field(
        default=None,
        description="Vertex AI: an OAuth access token instead of a service account. It is not renewed.",
    )
    publisher: Literal["google", "anthropic"] = Field(
        default="google", description="Vertex AI: whose models these are. `anthropic` is Claude on Vertex AI."
    )

    @field_validator("project", "location")
    @classmethod
    def _word(cls, value: str | None) -> str | None:
        if value is not None and not _WORD.fullmatch(value):
            raise ValueError(
                "must be a name as Google Cloud has them, such as 'my-project' or 'europe-west4'"
            )
        return value

    def secrets(self) -> tuple[str, ...]:
        """Return what must never be shown."""
        more = [secret.reveal() for secret in (self.service_account, self.access_token) if secret]
        return (*super().secrets(), *more)

    @property
    def on_vertex(self) -> bool:
        """Whether this is Vertex AI."""
        return self.vertex or self.project is not None


def check(config: GeminiConfig) -> None:
    """Raise `ConfigError` for settings that do not go together."""
    problems: list[str] = []
    tokens = config.service_account or config.access_token
    if not config.on_vertex:
        given = {
            "service_account": config.service_account is not None,
            "access_token": config.access_token is not None,
            "location": config.location != "global",
            "publisher": config.publisher != "google",
        }
        problems += [
            f"{name}: only for Vertex AI; set project, too" for name, is_set in given.items() if is_set
        ]
        if not (config.keys() or config.vault) and config.base_url is None:
            problems.append(
                "api_key: required; get one at https://aistudio.google.com, or set project for Vertex AI"
            )
    elif config.service_account and config.access_token:
        problems.append("access_token: give it or service_account, not both")
    elif tokens and config.project is None:
        problems.append("project: required with service_account and access_token")
    elif not (tokens or config.keys() or config.vault):
        problems.append(
            "service_account: required for Vertex AI, or access_token, or api_key in express mode"
        )
    if problems:
        raise ConfigError(problems)


def address(config: GeminiConfig) -> str:
    """Return where the models are, up to what comes before a model's name."""
    if not config.on_vertex:
        return config.base_url or AI_STUDIO
    base_url = config.base_url or f"https://{_host(config.location)}/v1"
    place = f"/projects/{config.project}/locations/{config.location}" if config.project else ""
    return f"{base_url}{place}/publishers/{config.publisher}"


def beside(config: GeminiConfig) -> tuple[str, ...]:
    """Return the beginnings of AI Studio's paths that stand beside its base URL: other versions, and what moves files."""
    base, _, version = address(config).rpartition("/")
    if config.on_vertex or version not in _VERSIONS or not base:
        return ()
    others = [f"/{one}" for one in _VERSIONS if one != version]
    return (*others, *(f"/{way}/{one}" for way in ("upload", "download") for one in _VERSIONS))


def _host(location: str) -> str:
    if location == "global":
        return "aiplatform.googleapis.com"
    if location in _REGIONS:
        return f"aiplatform.{location}.rep.googleapis.com"
    return f"{location}-aiplatform.googleapis.com"
