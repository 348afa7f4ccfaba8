"""Settings that every service over HTTP has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, ValidationInfo, ValidatorFunctionWrapHandler, field_validator

from gateway.plugin import PluginConfig
from gateway.provider.credentials import Credential, Credentials, Maker
from gateway.provider.kinds import Together
from gateway.provider.paths import Declared
from gateway.secrets import MissingSecret, Secret
from gateway.types import CredentialKind, RawHeaders
from gateway.version import __version__

_OURS = frozenset(
    {"host", "connection", "content-length", "content-type", "transfer-encoding", "accept-encoding"}
)
"""Headers that the connection depends on, and nobody may set."""


class ServiceConfig(PluginConfig):
    """Settings of one service. A plugin's own config derives from it."""

    together: ClassVar[Mapping[str, Together]] = {"api_key": Together(("api_key",))}
    """What the vault may hold for it, by the name of the kind: settings that make up one credential."""

    base_url: str | None = Field(default=None, description="Where the API is. Default: the service's own.")
    vault: bool = Field(
        default=False,
        description="Also take credentials from the vault: the operator's, and those that tenants bring along. `api_key` is "
        "then not required, and may name an environment variable that is not set.",
    )
    api_key: Secret | None = Field(default=None, description="The API key of the service.")
    api_keys: tuple[Secret, ...] = Field(
        default=(),
        description="Several API keys, used in turn. One that is refused or limited rests, and the next one is tried.",
    )
    headers: dict[str, Secret] = Field(
        default_factory=dict[str, Secret], description="More headers to send with every request."
    )
    models: tuple[str, ...] = Field(
        default=(),
        description="Models to list. Others can be called all the same. Default: those with a price.",
    )

    passthrough: tuple[str, ...] = Field(
        default=(),
        description="Paths below the base URL that clients may use at `/provider/NAME/…` although nothing is known of what "
        'they cost: `"/files"`, `"GET /files/*"`. `*` stands for a part of a name, and at the end for all below.',
    )

    @field_validator("passthrough")
    @classmethod
    def _declared(cls, passthrough: tuple[str, ...]) -> tuple[str, ...]:
        for text in passthrough:
            Declared.parse(text)
        return passthrough

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

    @field_validator("api_key", mode="wrap")
    @classmethod
    def _or_the_vault(
        cls, value: Any, validate: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Secret | None:
        try:
            return validate(value)
        except ValidationError as error:
            causes = [details.get("ctx", {}).get("error") for details in error.errors()]
            if info.data.get("vault") and any(
                isinstance(one, MissingSecret) and one.variable for one in causes
            ):
                return None
            raise

    def credentials(self, make: Callable[[str | None], Credential]) -> Credentials:
        """Return the credentials of the config, ready to be joined by the vault's where those are wanted.

        Without any key there is one that holds none, unless the vault may hold some.
        """
        keys = self.keys() or (() if self.vault else (None,))
        return Credentials(
            [make(key) for key in keys], makers=self.makers(api_key=lambda fields: make(fields["api_key"]))
        )

    def makers(self, **makes: Callable[[Mapping[str, str]], Credential]) -> tuple[Maker, ...]:
        """Return what makes credentials of the vault, by kind; nothing where none are wanted from there."""
        kinds = {kind.name: kind for kind in self.credential_kinds()}
        return tuple(
            Maker(
                kind=kinds[name],
                make=make,
                hint=self.together[name].hint or itemgetter(self.together[name].required[0]),
            )
            for name, make in makes.items()
            if self.vault
        )

    @classmethod
    def credential_kinds(cls) -> tuple[CredentialKind, ...]:
        """Return all kinds of credentials that the vault may hold for it."""
        return tuple(kind.as_kind(name, cls.model_fields) for name, kind in cls.together.items())

    def keys(self) -> tuple[str, ...]:
        """Return all API keys, each once."""
        given = [*([self.api_key] if self.api_key else []), *self.api_keys]
        return tuple(dict.fromkeys(key.reveal() for key in given))

    def request_headers(self, account: Mapping[str, str | None]) -> RawHeaders:
        """Write the headers of every request: those of the account that are not None, and the operator's, which count more."""
        given = {
            "user-agent": f"asgi-gateway/{__version__}",
            **account,
            **{name.lower(): value.reveal() for name, value in self.headers.items()},
        }
        return [(name.encode(), value.encode()) for name, value in given.items() if value is not None]

    def secrets(self) -> tuple[str, ...]:
        """Return what must never be shown: keys, and the values of headers."""
        return (*self.keys(), *(value.reveal() for value in self.headers.values()))
