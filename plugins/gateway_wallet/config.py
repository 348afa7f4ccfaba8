"""The settings of `[auth.wallet]`."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator

from gateway.plugin import PluginConfig
from gateway.secrets import Secret

Method: TypeAlias = Literal["passkey", "siwe", "did-key"]

_SECRET = re.compile(r"(0x)?([0-9a-fA-F]{64}|[0-9a-fA-F]{128})")


class WalletConfig(PluginConfig):
    """Which ways to sign in there are, and how the gateway presents itself to wallets."""

    methods: tuple[Method, ...] = Field(
        default=("passkey", "siwe", "did-key"),
        description="Ways to sign in: `passkey` (WebAuthn), `siwe` (Sign-In with Ethereum), `did-key` (for programs). "
        "DID Connect is there when `app_secret` is set.",
    )
    chains: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        default=(1,),
        min_length=1,
        description="Ids of the Ethereum chains that may be signed in with; the first is proposed. An account is another "
        "identity on each.",
    )
    nodes: dict[int, Secret] = Field(
        default_factory=dict[int, Secret],
        description="Addresses of JSON-RPC nodes by the id of their chain, for accounts that are contracts: "
        '`{ 1 = "https://…" }`. Without one, these cannot sign in on that chain.',
    )
    app_secret: Secret | None = Field(
        default=None,
        description="The Ed25519 key with which the gateway signs for DID Wallets: 64 hex digits, as `openssl rand -hex 32` "
        "prints them. DID Connect is off without it.",
    )
    app_name: str = Field(
        default="AI gateway",
        min_length=1,
        max_length=100,
        description="The gateway's name, as people see it.",
    )
    app_description: str = Field(
        default="Sign in to the AI gateway.",
        max_length=300,
        description="What DID Wallets show below the name.",
    )
    app_icon: str | None = Field(
        default=None, pattern=r"^https?://\S+$", description="URL of a picture that DID Wallets show."
    )

    @field_validator("nodes")
    @classmethod
    def _reachable(cls, nodes: dict[int, Secret], info: ValidationInfo) -> dict[int, Secret]:
        for chain, node in nodes.items():
            if not _is_address(node.reveal()):
                raise ValueError(f"the node of chain {chain} must be an address such as https://node.example")
            if chain not in info.data.get("chains", ()):
                raise ValueError(f"chain {chain} is none of `chains`, so nobody signs in with it")
        return nodes

    @field_validator("app_secret")
    @classmethod
    def _is_a_key(cls, secret: Secret | None) -> Secret | None:
        if secret is not None and not _SECRET.fullmatch(secret.reveal()):
            raise ValueError("must be 64 hex digits: `openssl rand -hex 32` prints such a key")
        return secret


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        usable = parts.port != 0
    except ValueError:
        return False
    return (
        usable
        and parts.scheme in {"http", "https"}
        and bool(parts.hostname)
        and url.isascii()
        and url.isprintable()
    )
