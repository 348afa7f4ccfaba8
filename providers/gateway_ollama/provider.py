"""Sends calls to Ollama. https://github.com/ollama/ollama/blob/main/docs/api.md."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from gateway.errors import ProviderError
from gateway.provider import Credential, Service
from gateway.types import Attempt, Capability, Dialect, RawHeaders
from gateway.upstream import Prepared, Response, UpstreamError

PATHS: Final[Mapping[Dialect, str]] = {"ollama.chat": "/api/chat", "ollama.embed": "/api/embed"}
"""Where each dialect's requests go, below the base URL."""

_MISSING: Final = re.compile(r"model ['\"]([^'\"]+)['\"] not found")


class _Model(Struct):
    name: str


class _Models(Struct):
    models: list[_Model]


_decode = msgspec.json.Decoder(_Models).decode


class OllamaProvider(Service):
    """One server, under the name of its table in plugins.toml."""

    dialects: Mapping[Capability, Dialect] = {"chat": "ollama.chat", "embedding": "ollama.embed"}
    streams = (b"application/x-ndjson",)

    def request(self, attempt: Attempt, credential: Credential) -> tuple[Prepared, bytes, RawHeaders]:
        """Choose the head by the dialect."""
        return credential.prepared[attempt.target.dialect], attempt.body, []

    async def refusal(self, response: Response) -> tuple[ProviderError, bool]:
        """Tell how to get a model that the server does not have; another server may have it."""
        error, refuses_key = await super().refusal(response)
        missing = _MISSING.search(error.message) if error.status == 404 else None  # noqa: PLR2004 - HTTP's Not Found
        if missing:
            error = ProviderError(
                f"The provider '{self.name}' does not have the model '{missing[1]}'. "
                f"Run `ollama pull {missing[1]}` on its machine, or call another model.",
                provider=self.name,
                status=404,
                type="invalid_request_error",
                code="model_not_found",
                param="model",
            )
        return error, refuses_key

    async def check_credential(self, credential: Credential) -> bool:
        """Ask for the list of models. Raises `ProviderError` when one of `models` is not there."""
        present = await self._present(credential)
        missing = [name for name in self.models if _full(name) not in present]
        if missing:
            commands = " && ".join(f"ollama pull {name}" for name in missing)
            raise ProviderError(
                f"The provider '{self.name}' does not have {', '.join(missing)}. Run `{commands}` on its machine.",
                provider=self.name,
                status=404,
                code="model_not_found",
            )
        return True

    async def _present(self, credential: Credential) -> set[str]:
        try:
            response = await self.client.send(credential.prepared["models"], b"")
            if response.status != 200:  # noqa: PLR2004 - HTTP's OK
                error, _ = await self.refusal(response)
                raise error
            body = await response.read()
        except UpstreamError as failure:
            raise self.failures.broken(failure) from failure
        try:
            return {model.name for model in _decode(body).models}
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise self.failures.unusable(
                "no list of models; check that its base_url is a server of Ollama's"
            ) from None


def _full(name: str) -> str:
    """Return a model's name with its tag, which is `latest` unless said."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"
