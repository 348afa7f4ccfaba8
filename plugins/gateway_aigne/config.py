"""The settings of `[service.aigne]`."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from gateway.plugin import PluginConfig


def _prefix(value: str) -> str:
    if value and not (value.startswith("/") and not value.endswith("/") and "//" not in value):
        raise ValueError("write a path without a slash at its end, as '/ai-kit', or nothing")
    return value


class AigneConfig(PluginConfig):
    """How the interfaces are served."""

    prefix: Annotated[str, AfterValidator(_prefix)] = Field(
        "", description="What stands before `/api`: `/ai-kit` where the hub was mounted there."
    )
    v1_authenticators: tuple[str, ...] = Field(
        ("component",),
        description="Names of the `[auth.NAME]` whose callers may use `/api/v1`. Keys of service accounts may always.",
    )
    apps_tenant: str | None = Field(
        None,
        description="The tenant in which apps may register their keys at `/api/app/register`, whoever they are. An administrator "
        "enables each before it may call. Without it only administrators register keys.",
    )
    public_models: bool = Field(
        default=True,
        description="Whether models and prices are listed for everybody, as AIGNE's clients expect.",
    )
