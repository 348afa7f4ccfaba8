"""The settings of `auth.component`."""

from __future__ import annotations

from pydantic import Field

from gateway.plugin import PluginConfig


class ComponentConfig(PluginConfig):
    """What signatures must be like."""

    authorities: tuple[str, ...] = Field(
        default=(),
        description="Hosts, with the port where it is not the usual one, for which signatures are made. "
        "When none is given: that of `public_url`, and with a loopback address there, any loopback host.",
    )
    tag: str = Field(
        default="gateway",
        min_length=1,
        max_length=100,
        description="The `tag` of the signatures that are meant for the gateway; others are not looked at.",
    )
    max_seconds: float = Field(
        default=300, gt=0, le=3600, description="The most seconds for which a signature may be good."
    )
    skew_seconds: float = Field(
        default=30, ge=0, le=300, description="Seconds that a component's clock may differ."
    )
    covered: tuple[str, ...] = Field(
        default=("x-user-did",),
        description="Headers, in small letters, that a signature must cover where a request has them. Method, host, path, "
        "query, body and content type always are.",
    )
    aigne_compat: bool = Field(
        default=False,
        description="Take the signatures of AIGNE's blocklets and remote apps too. They prove less: see the plugin's README.",
    )
    aigne_seconds: float = Field(
        default=300, gt=0, le=600, description="The most seconds that such a signature may be old."
    )
