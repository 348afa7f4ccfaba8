"""`/api/v2/video`: a film in one answer. It is begun, watched and fetched at `/v1/videos` in the caller's name."""

from __future__ import annotations

import asyncio
import base64
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

from gateway.errors import CallTimeout, GatewayError, InvalidRequest
from gateway.wire.body import read_request
from gateway_aigne.gate import refusal
from gateway_aigne.inside import Inside
from gateway_aigne.native import FileFields, address, answered, options

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from gateway_aigne.gate import Gate

VIDEOS: Final = "/v1/videos"
_ASK_SECONDS: Final = 1.0
_MOST_SECONDS: Final = 900.0
"""How long a film may take before only its id is told."""
_MAX_FILM: Final = 256 * 2**20


class _Input(Struct, rename="camel"):
    prompt: str
    model: str | None = None
    seconds: str | int | None = None
    size: str | None = None
    image: FileFields | None = None
    model_options: dict[str, Any] = {}


class _Request(Struct):
    input: _Input


class _Error(Struct):
    message: str = "The film could not be made."


class _Job(Struct):
    id: str
    status: str
    model: str
    seconds: str | float | None = None
    error: _Error | None = None


_decode = msgspec.json.Decoder(_Request).decode
_decode_job = msgspec.json.Decoder(_Job).decode


class Video:
    """Makes films, while the client waits."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. When the client goes away, the film is no longer waited for."""
        try:
            visit = await self._gate.enter(scope, receive, send)
            asked = _asked(await visit.body())
            async with asyncio.timeout(_MOST_SECONDS):
                answer = await Inside.until_gone(scope, receive, lambda inside: _made(inside, asked))
        except TimeoutError:
            answer = refusal(CallTimeout(f"The film is not done yet: look for it with GET {VIDEOS}."))
        except GatewayError as error:
            answer = refusal(error)
        if answer is not None:
            await answer(scope, receive, send)


async def _made(inside: Inside, asked: dict[str, Any]) -> Any:
    job = _decode_job(await inside.request("POST", VIDEOS, msgspec.json.encode(asked)))
    while job.status in {"queued", "in_progress"}:
        await asyncio.sleep(_ASK_SECONDS)
        job = _decode_job(await inside.request("GET", f"{VIDEOS}/{job.id}"))
    if job.status != "completed":
        told = (job.error or _Error()).message
        raise GatewayError(told, status=HTTPStatus.BAD_GATEWAY, type="upstream_error", code="video_failed")
    film = await inside.request("GET", f"{VIDEOS}/{job.id}/content", at_most=_MAX_FILM)
    data = base64.b64encode(film).decode()
    fields: dict[str, Any] = {"videos": [{"type": "file", "data": data, "mimeType": "video/mp4"}]}
    if job.seconds is not None:
        fields["seconds"] = float(job.seconds)
    return answered(fields, None, asked["model"], None)


def _asked(body: bytes) -> dict[str, Any]:
    given = read_request(_decode, body).input
    if not given.prompt:
        raise InvalidRequest("Missing required parameter: 'input.prompt'.", param="input.prompt")
    chosen = {**given.model_options, "model": given.model or given.model_options.get("model")}
    fields: dict[str, Any] = {**options(chosen), "prompt": given.prompt}
    if given.seconds is not None:
        fields["seconds"] = str(given.seconds)
    if given.size is not None:
        fields["size"] = given.size
    if given.image is not None:
        fields["input_reference"] = {"image_url": address(given.image)}
    return fields
