"""The routes of what is kept: responses, files, batches, videos."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from gateway.api.openapi import answers as a
from gateway.api.openapi import requests as r
from gateway.api.openapi.operation import EVENTS, Operation
from gateway.wire.gemini_live import VERSIONS, live_path

_LIMIT: Final[Mapping[str, Any]] = {"type": "integer", "minimum": 1, "maximum": 100}
_TEXT: Final[Mapping[str, Any]] = {"type": "string"}
_ORDER: Final[Mapping[str, Any]] = {"type": "string", "enum": ["asc", "desc"]}
_PAGE: Final[Mapping[str, Mapping[str, Any]]] = {"limit": _LIMIT, "order": _ORDER, "after": _TEXT}

STORED: Final[Mapping[tuple[str, str], Operation]] = MappingProxyType(
    {
        ("POST", "/v1/responses/input_tokens"): Operation(
            summary="Estimate the tokens of a response",
            request=r.InputTokensRequest,
            answers=(a.InputTokens,),
        ),
        ("GET", "/v1/responses/{id}"): Operation(
            summary="Show a stored response, or stream one that runs in the background",
            answers=(a.Response,),
            others=(EVENTS,),
            query={"stream": {"type": "boolean"}, "starting_after": {"type": "integer", "minimum": 0}},
        ),
        ("DELETE", "/v1/responses/{id}"): Operation(summary="Delete a response", answers=(a.Deleted,)),
        ("POST", "/v1/responses/{id}/cancel"): Operation(
            summary="Cancel a response that runs in the background", answers=(a.Response,)
        ),
        ("GET", "/v1/responses/{id}/input_items"): Operation(
            summary="List what a response was made from",
            answers=(a.Page,),
            query=_PAGE,
        ),
        ("POST", "/v1/files"): Operation(summary="Upload a file", form=r.FileForm, answers=(a.File,)),
        ("GET", "/v1/files"): Operation(
            summary="List files", answers=(a.Page,), query={**_PAGE, "purpose": _TEXT}
        ),
        ("GET", "/v1/files/{id}"): Operation(summary="Describe a file", answers=(a.File,)),
        ("DELETE", "/v1/files/{id}"): Operation(summary="Delete a file", answers=(a.Deleted,)),
        ("GET", "/v1/files/{id}/content"): Operation(
            summary="Send a file", others=("application/octet-stream",)
        ),
        ("POST", "/v1/batches"): Operation(
            summary="Take on a batch", request=r.BatchRequest, answers=(a.Batch,)
        ),
        ("GET", "/v1/batches"): Operation(
            summary="List batches", answers=(a.Page,), query={"limit": _LIMIT, "after": _TEXT}
        ),
        ("GET", "/v1/batches/{id}"): Operation(summary="Describe a batch", answers=(a.Batch,)),
        ("POST", "/v1/batches/{id}/cancel"): Operation(
            summary="Begin no more of a batch", answers=(a.Batch,)
        ),
        ("POST", "/v1/videos"): Operation(
            summary="Start a film", request=r.VideoRequest, form=r.VideoForm, answers=(a.Video,)
        ),
        ("GET", "/v1/videos"): Operation(summary="List films", answers=(a.Page,), query=_PAGE),
        ("GET", "/v1/videos/{id}"): Operation(summary="Say how far a film is", answers=(a.Video,)),
        ("DELETE", "/v1/videos/{id}"): Operation(summary="Delete a film", answers=(a.Deleted,)),
        ("GET", "/v1/videos/{id}/content"): Operation(
            summary="Send a film",
            others=("video/*", "image/*"),
            query={"variant": {"type": "string", "enum": ["video", "thumbnail", "spritesheet"]}},
        ),
        ("POST", "/v1/videos/{id}/remix"): Operation(
            summary="Make a film of a film", request=r.RemixRequest, answers=(a.Video,)
        ),
        **{
            ("GET", path): Operation(
                summary="Talk to a model over a WebSocket", status="101", query={"model": _TEXT}
            )
            for path in ("/v1/realtime", "/openai/realtime", "/openai/v1/realtime")
        },
        **{
            ("GET", live_path(version)): Operation(
                summary="Talk to a model over a WebSocket, as Google's clients do", status="101"
            )
            for version in VERSIONS
        },
    }
)
"""By method and path, as OpenAPI writes paths."""
