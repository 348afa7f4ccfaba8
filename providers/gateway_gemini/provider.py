"""Sends calls to Gemini. https://ai.google.dev/api and https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from gateway.errors import ProviderError
from gateway.provider import Credential, Service
from gateway.provider.several import send_each
from gateway.types import Answer, Attempt, Capability, Dialect, JobRequest, RawHeaders
from gateway.upstream import Prepared, Response
from gateway.wire import LIVE, Given
from gateway.wire.gemini_imagen import is_imagen
from gateway_gemini import films, live

_BOTH: Final[Mapping[Capability, Dialect]] = {
    "chat": "gemini.generate",
    "tokens": "gemini.count_tokens",
    "image": "gemini.images",
    "speech": "gemini.speech",
}
AI_STUDIO: Final[Mapping[Capability, Dialect]] = {
    **_BOTH,
    "embedding": "gemini.embed",
    "video": "gemini.videos",
    "realtime": LIVE,
}
VERTEX: Final[Mapping[Capability, Dialect]] = {**_BOTH, "embedding": "vertex.embed"}
CLAUDE: Final[Mapping[Capability, Dialect]] = {"chat": "anthropic.messages"}
"""Anthropic's models on Vertex AI."""

_VERSION: Final = msgspec.Raw(b'"vertex-2023-10-16"')
"""The version of Anthropic's API that Vertex AI wants to be named in the body."""
_BETA: Final = b"anthropic-beta"
_BAD_KEY: Final = re.compile(r"API[ _]key (?:not valid|expired|not found)", re.IGNORECASE)
_MODEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:-]*(?:/[A-Za-z0-9][A-Za-z0-9._@:-]*)*")
_OWN: Final = re.compile(
    r"(?:/v1(?:alpha|beta1?)?)?(?:/projects/[^/]+/locations/[^/]+)?(?:/publishers/[^/]+)?/models/([^/:]+):([A-Za-z]+)"
)
"""Where models are, in AI Studio and Vertex AI."""
_METHODS: Final[Mapping[str, tuple[Dialect, bool]]] = {
    "generateContent": ("gemini.generate", False),
    "streamGenerateContent": ("gemini.generate", True),
    "countTokens": ("gemini.count_tokens", False),
    "embedContent": ("gemini.embed", False),
    "batchEmbedContents": ("gemini.embed", False),
}
_STREAM: Final = "streamGenerateContent?alt=sse"
_CLAUDES: Final = frozenset({"rawPredict", "streamRawPredict"})
_JSON: Final[RawHeaders] = [(b"content-type", b"application/json")]
_HEADS: Final = 1024
"""How many request heads are kept; clients choose the names of models."""

_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class GeminiProvider(Service):
    """One service, under the name of its table in plugins.toml."""

    dialects: Mapping[Capability, Dialect]
    address: str
    """Up to what comes before `/models/`."""
    on_vertex: bool
    headers_of: Callable[[Credential], RawHeaders]
    """Makes the headers of every request to an account."""
    query_credentials = frozenset({"key", "access_token"})
    passed_on = Service.passed_on | {
        b"x-goog-upload-chunk-granularity",
        b"x-goog-upload-size-received",
        b"x-goog-upload-status",
        b"x-goog-upload-url",
    }

    def speaks(self, dialect: Dialect, model: str) -> bool:
        """Imagen takes pictures as Google's own clients ask for them."""
        return dialect == "gemini.predict" and is_imagen(model) and "image" in self.dialects

    def request(self, attempt: Attempt, credential: Credential) -> tuple[Prepared, bytes, RawHeaders]:
        """Choose the path by dialect and model; the body as the service wants it."""
        body = attempt.body
        match attempt.target.dialect:
            case "gemini.generate":
                method = _STREAM if attempt.call.stream else "generateContent"
            case "gemini.embed":
                method = "batchEmbedContents" if "requests" in _decode_fields(body) else "embedContent"
            case "gemini.count_tokens":
                method = "countTokens"
                body = _counted(body) if self.on_vertex else body
            case "vertex.embed" | "gemini.predict":
                method = "predict"
            case "gemini.images" if is_imagen(attempt.target.model):
                method = "predict"
            case "gemini.images":
                method = "generateContent"
            case "gemini.speech":
                method = _STREAM
            case "gemini.videos":
                method = "predictLongRunning"
            case _:
                method = "streamRawPredict" if attempt.call.stream else "rawPredict"
                body = _claudes(body)
        headers = [header for header in attempt.call.forwarded if header[0] == _BETA]
        return self._head(credential, attempt.target.model, method), body, headers

    def account_headers(self, credential: Credential) -> RawHeaders:
        """Return those of a key, or of a token."""
        return self.headers_of(credential)

    def dialect_of(self, method: str, path: str) -> tuple[Dialect, Given] | None:
        """Every method of a model that makes calls; where the model is does not matter, for that is the operator's to say."""
        found = _OWN.fullmatch(path) if method == "POST" else None
        if found is None:
            return None
        if found[2] in _CLAUDES:
            return "anthropic.messages", Given(model=found[1])
        if found[2] == "predict" and is_imagen(found[1]):
            return "gemini.predict", Given(model=found[1])
        known = _METHODS.get(found[2])
        return (known[0], Given(model=found[1], stream=known[1])) if known else None

    async def send(self, attempt: Attempt) -> Answer:
        """Send a call; several pictures are several requests."""
        if attempt.target.dialect == "gemini.images":
            return await send_each(attempt, super().send)
        if attempt.target.dialect == LIVE:
            return await live.open_live(self, attempt, self.address)
        return await super().send(attempt)

    async def job(self, request: JobRequest) -> Answer:
        """Tell about a film, or send it. Operations cannot be deleted; the service forgets them after two days."""
        if request.action == "delete":
            return Answer(200, _JSON, body=films.deleted(request.id))
        operation = films.read(await self._operation(request), self.failures)
        if request.action == "show":
            return Answer(200, _JSON, body=films.shown(operation, self.failures))
        uri = films.address_of(operation, request.variant, self.name)
        near = films.is_near(uri, self.address)
        if not (near or films.may_follow(uri)):
            raise self.failures.unusable("a film that is elsewhere")
        return await self.fetch(
            lambda credential: (
                self.client.prepare("GET", uri, self.account_headers(credential) if near else []),
                [],
            ),
            tenant=request.tenant,
            mark=request.credential,
            follow=lambda place: self.client.prepare("GET", place, []) if films.may_follow(place) else None,
        )

    async def _operation(self, request: JobRequest) -> bytes:
        if not films.OPERATION.fullmatch(request.id):
            raise self.failures.unusable("an operation without a usable name")
        url = f"{self.address}/{request.id}"
        answer = await self.fetch(
            lambda credential: (self.client.prepare("GET", url, self.account_headers(credential)), []),
            tenant=request.tenant,
            mark=request.credential,
        )
        assert answer.stream is not None, "fetched answers stream"
        return b"".join([chunk async for chunk in answer.stream])

    async def refusal(self, response: Response) -> tuple[ProviderError, bool]:
        """Take a key that is not valid for what it is: Google says 400, as if the request were at fault."""
        error, refuses_key = await super().refusal(response)
        if error.status == 400 and _BAD_KEY.search(error.message):  # noqa: PLR2004 - HTTP's Bad Request
            error.status, error.code, error.can_fall_back = 401, "UNAUTHENTICATED", True
            return error, True
        return error, refuses_key

    async def list_models(self) -> Sequence[str]:
        """Return the names of the models of AI Studio; Vertex AI has no list of all."""
        if self.on_vertex:
            return ()
        url = f"{self.address}/models?pageSize=1000"
        headers = self.account_headers(self.credentials.any())
        return await self.listed(self.client.prepare("GET", url, headers))

    async def check_credential(self, credential: Credential) -> bool:
        """Ask for the list of models; on Vertex AI, which has none for all, fetch a token where there are some."""
        renews = credential.renews_at != float("inf")
        if renews:
            await credential.renew()
        if not self.on_vertex:
            url = f"{self.address}/models?pageSize=1"
            await self.probe(self.client.prepare("GET", url, self.account_headers(credential)))
        return renews or not self.on_vertex

    def _head(self, credential: Credential, model: str, method: str) -> Prepared:
        name = f"{model}:{method}"
        prepared = credential.prepared.get(name)
        if prepared is None:
            if not _MODEL.fullmatch(model):
                raise ProviderError(
                    f"'{model}' is no name of a model of the provider '{self.name}'.",
                    provider=self.name,
                    can_fall_back=False,
                    status=404,
                    code="model_not_found",
                    param="model",
                )
            if len(credential.prepared) >= _HEADS:
                credential.prepared.clear()
            folder = "" if model.startswith(("models/", "tunedModels/", "endpoints/")) else "models/"
            url = f"{self.address}/{folder}{quote(model, safe='/@')}:{method}"
            prepared = self.client.prepare("POST", url, self.account_headers(credential))
            credential.prepared[name] = prepared
        return prepared


def _counted(body: bytes) -> bytes:
    """Take the request out of the request: Vertex AI counts what stands in the body itself."""
    inner = _decode_fields(body).get("generateContentRequest")
    if inner is None:
        return body
    fields = _decode_fields(inner)
    fields.pop("model", None)
    return msgspec.json.encode(fields)


def _claudes(body: bytes) -> bytes:
    """Name Anthropic's version in the body, and not the model, which stands in the path."""
    fields: dict[str, Any] = _decode_fields(body)
    fields.pop("model", None)
    return msgspec.json.encode({"anthropic_version": _VERSION, **fields})
