"""Films by Veo: what an operation says, in the words of OpenAI's video jobs.

https://ai.google.dev/api/generate-content (operations) and https://ai.google.dev/gemini-api/docs/video
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from gateway.errors import ProviderError
from gateway.provider import Failures

OPERATION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*")
"""How operations are named: `models/veo-3.1-generate-001/operations/abc`."""
_GOOGLES: Final = (".googleapis.com", ".googleusercontent.com")
"""Where a film may be sent from."""


class _Status(Struct):
    code: int | None = None
    message: str | None = None


class _Video(Struct):
    uri: str | None = None


class _Sample(Struct):
    video: _Video | None = None


class _Generated(Struct, rename="camel"):
    generated_samples: list[_Sample] | None = None
    rai_media_filtered_reasons: list[str] | None = None


class _Response(Struct, rename="camel"):
    generate_video_response: _Generated | None = None


class Operation(Struct):
    """How far the work on a film is."""

    name: str
    done: bool = False
    error: _Status | None = None
    response: _Response | None = None

    def uri(self) -> str | None:
        """Return where the film is, once there is one."""
        generated = self.response.generate_video_response if self.response else None
        samples = (generated.generated_samples if generated else None) or []
        return next((one.video.uri for one in samples if one.video and one.video.uri), None)

    def failure(self) -> str | None:
        """Return why there will be no film."""
        if self.error is not None:
            return self.error.message or "The film could not be made."
        generated = self.response.generate_video_response if self.response else None
        reasons = generated.rai_media_filtered_reasons if generated else None
        if reasons:
            return " ".join(reasons)
        return "The service made no film." if self.done and self.uri() is None else None


_decode = msgspec.json.Decoder(Operation).decode


def read(body: bytes, failures: Failures) -> Operation:
    """Read an operation. Raises `ProviderError` when it is none."""
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise failures.unusable("something that is no operation") from None


def shown(operation: Operation, failures: Failures) -> bytes:
    """Say how far a film is, in OpenAI's words. What it leaves unsaid has not changed since the film was asked for."""
    failure = operation.failure()
    fields: dict[str, Any] = {"id": operation.name, "object": "video", "error": None}
    if failure is not None:
        error = {"code": "video_generation_failed", "message": failures.scrub(failure)}
        fields |= {"status": "failed", "error": error}
    elif operation.done:
        fields |= {"status": "completed", "progress": 100}
    else:
        fields["status"] = "in_progress"
    return msgspec.json.encode(fields)


def deleted(id: str) -> bytes:
    """Say that a film is deleted."""
    return msgspec.json.encode({"id": id, "object": "video.deleted", "deleted": True})


def address_of(operation: Operation, variant: str | None, name: str) -> str:
    """Return where the film is. Raises `ProviderError` when there is none (yet), and for what goes with a film elsewhere."""
    uri = operation.uri()
    if uri is None or variant not in {None, "video"}:
        why = f"There is no {variant} of this film." if uri else operation.failure()
        raise ProviderError(
            why or "The film is not ready yet.",
            provider=name,
            can_fall_back=False,
            status=404,
            type="invalid_request_error",
            code="not_found",
        )
    return uri


def is_near(uri: str, address: str) -> bool:
    """Whether a film is where the service itself is, so that it may see the credential."""
    there, here = urlsplit(uri), urlsplit(address)
    return (there.scheme, there.netloc) == (here.scheme, here.netloc)


def may_follow(uri: str) -> bool:
    """Whether to follow a redirect: to Google's own storage only, and without the credential."""
    there = urlsplit(uri)
    return there.scheme == "https" and (there.hostname or "").endswith(_GOOGLES)
