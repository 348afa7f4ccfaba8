"""`/api/v2/image` and `/api/v2/embeddings` as AIGNE's framework asks: put as OpenAI's calls, and answered in its words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from msgspec import Struct
from starlette.responses import Response

from gateway.errors import GatewayError, InvalidRequest
from gateway.wire.body import read_request
from gateway_aigne.words import fields_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from gateway.doors import Visit
    from gateway.types import Answer

T = TypeVar("T")

_CAPITAL: Final = re.compile(r"(?<=[a-z0-9])[A-Z]")
_OF_THE_CLIENT: Final = frozenset({"preferInputFileType"})
"""Options that are for the framework itself."""
_KINDS: Final[Mapping[str, str]] = {"jpeg": "image/jpeg", "webp": "image/webp"}


class FileFields(Struct, rename="camel"):
    """A file in a request."""

    type: str
    url: str | None = None
    data: str | None = None
    mime_type: str | None = None


class _ImageInput(Struct, rename="camel"):
    prompt: str
    model_options: dict[str, Any]
    image: list[FileFields] | None = None
    n: int | None = None


class _ImageRequest(Struct):
    input: _ImageInput


class _EmbeddingInput(Struct, rename="camel"):
    input: Any
    model_options: dict[str, Any]


class _EmbeddingRequest(Struct):
    input: _EmbeddingInput


class _Picture(Struct):
    b64_json: str | None = None
    url: str | None = None


class _Tokens(Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    prompt_tokens: int | None = None


class _Pictures(Struct):
    data: list[_Picture]
    output_format: str | None = None
    usage: _Tokens | None = None
    model: str | None = None


class _Vector(Struct):
    embedding: list[float]


class _Vectors(Struct):
    data: list[_Vector]
    usage: _Tokens | None = None
    model: str | None = None


_image_request = msgspec.json.Decoder(_ImageRequest).decode
_embedding_request = msgspec.json.Decoder(_EmbeddingRequest).decode


async def image(visit: Visit, _request: Request) -> Response:
    """Make pictures, after others where some are given."""
    given = read_request(_image_request, await visit.body()).input
    fields = {**options(given.model_options), "prompt": given.prompt}
    if given.n is not None:
        fields["n"] = given.n
    if given.image:
        fields["images"] = [{"image_url": address(file)} for file in given.image]
    dialect = "openai.image_edits" if given.image else "openai.images"
    answer = _read(await visit.ask(dialect, msgspec.json.encode(fields)), _Pictures)
    kind = _KINDS.get(answer.output_format or "", "image/png")
    files = [
        {"type": "url", "url": picture.url}
        if picture.url is not None
        else {"type": "file", "data": picture.b64_json, "mimeType": kind}
        for picture in answer.data
    ]
    return answered({"images": files}, answer.model, fields["model"], answer.usage)


async def embeddings(visit: Visit, _request: Request) -> Response:
    """Turn texts into vectors. What asks in OpenAI's words is answered in them."""
    body = await visit.body()
    asked = fields_of(body)
    if asked is not None and not isinstance(asked.get("input"), dict):
        answer = await visit.ask("openai.embeddings", body)
        return Response(answer.body, media_type="application/json")
    given = read_request(_embedding_request, body).input
    fields = {**options(given.model_options), "input": given.input, "encoding_format": "float"}
    answer = _read(await visit.ask("openai.embeddings", msgspec.json.encode(fields)), _Vectors)
    vectors = [vector.embedding for vector in answer.data]
    return answered({"embeddings": vectors}, answer.model, fields["model"], answer.usage)


def options(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a model by OpenAI's names. Raises `InvalidRequest` when no model is among them."""
    fields = {
        _CAPITAL.sub(lambda capital: "_" + capital[0].lower(), name): value
        for name, value in given.items()
        if name not in _OF_THE_CLIENT and value is not None
    }
    if not isinstance(fields.get("model"), str):
        raise InvalidRequest(
            "You must provide a model: input.modelOptions.model.", param="input.modelOptions.model"
        )
    return fields


def address(file: FileFields) -> str:
    """The address of a file, which may hold the file itself. Raises `InvalidRequest`."""
    if file.type == "url" and file.url:
        return file.url
    if file.type == "file" and file.data:
        return f"data:{file.mime_type or 'image/png'};base64,{file.data}"
    raise InvalidRequest(
        "Invalid 'input.image': send a 'file' with 'data' in base64, or a 'url'.", param="input.image"
    )


def answered(fields: Mapping[str, Any], model: str | None, asked: str, usage: _Tokens | None) -> Response:
    """Write an answer, with what was used, as far as the provider says."""
    used = usage or _Tokens()
    tokens = {
        "inputTokens": used.input_tokens or used.prompt_tokens or 0,
        "outputTokens": used.output_tokens or 0,
    }
    named = {"model": model or asked, "modelWithProvider": asked, "usage": tokens}
    return Response(msgspec.json.encode({**fields, **named}), media_type="application/json")


def _read(answer: Answer, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except msgspec.DecodeError as error:
        raise GatewayError(
            f"The provider's answer is of an unusual shape: {error}.",
            status=502,
            type="upstream_error",
            code="upstream_malformed",
        ) from None
