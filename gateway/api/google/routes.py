"""The routes of Google's files, caches and batches, whether or not there is a provider that serves them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

from starlette.requests import Request
from starlette.routing import Match, Route
from starlette.types import Scope

from gateway.api.access import Access
from gateway.api.gemini import take_key
from gateway.api.gemini_models import speaks_gemini
from gateway.api.google.asking import Asking
from gateway.api.google.batches import METHODS, GoogleBatches
from gateway.api.google.caches import GoogleCaches
from gateway.api.google.files import GoogleContent, GoogleFiles
from gateway.api.google.uploads import Uploads
from gateway.api.incoming import HttpIncoming
from gateway.errors import InvalidRequest
from gateway.pipeline import Pipeline

VERSIONS: Final = ("v1beta", "v1")
_FILES: Final = "/{version}/files"
_CACHES: Final = "/{version}/cachedContents"
_BATCHES: Final = "/{version}/batches"
TABLE: Final = (
    ("POST", f"/upload{_FILES}", "upload"),
    ("PUT", f"/upload{_FILES}", "upload"),
    ("GET", _FILES, "list_files"),
    ("GET", f"{_FILES}/{{id}}:download", "content"),
    ("GET", f"/download{_FILES}/{{id}}:download", "content"),
    ("GET", f"{_FILES}/{{id}}", "show_file"),
    ("DELETE", f"{_FILES}/{{id}}", "delete_file"),
    ("POST", _CACHES, "create_cache"),
    ("GET", _CACHES, "list_caches"),
    ("GET", f"{_CACHES}/{{id}}", "show_cache"),
    ("PATCH", f"{_CACHES}/{{id}}", "change_cache"),
    ("DELETE", f"{_CACHES}/{{id}}", "delete_cache"),
    *(("POST", f"/{{version}}/models/{{model:path}}:{method}", "create_batch") for method in METHODS),
    ("GET", _BATCHES, "list_batches"),
    ("POST", f"{_BATCHES}/{{id}}:cancel", "cancel_batch"),
    ("GET", f"{_BATCHES}/{{id}}", "show_batch"),
    ("DELETE", f"{_BATCHES}/{{id}}", "delete_batch"),
)
"""Method, path and what is done."""
_SHARED: Final = frozenset(
    {
        ("GET", "/v1/files"),
        ("GET", "/v1/files/{id}"),
        ("DELETE", "/v1/files/{id}"),
        ("GET", "/v1/batches"),
        ("GET", "/v1/batches/{id}"),
    }
)
"""What OpenAI's clients ask, too."""


def google_routes(asking: Asking, uploads: Uploads, pipeline: Pipeline, *, max_line: int) -> Sequence[Route]:
    """List the routes, served by the provider that the operator has named."""
    files, caches = GoogleFiles(asking), GoogleCaches(asking, pipeline)
    batches = GoogleBatches(asking, max_line=max_line)
    handlers: dict[str, Callable[..., Any]] = {
        "upload": uploads.upload,
        "list_files": files.list,
        "content": GoogleContent(asking),
        "show_file": files.show,
        "delete_file": files.delete,
        "create_cache": caches.create,
        "list_caches": caches.list,
        "show_cache": caches.show,
        "change_cache": caches.change,
        "delete_cache": caches.delete,
        "create_batch": batches.create,
        "list_batches": batches.list,
        "cancel_batch": batches.cancel,
        "show_batch": batches.show,
        "delete_batch": batches.delete,
    }
    return _routes(handlers.__getitem__)


def unserved_routes(access: Access) -> Sequence[Route]:
    """List the same routes for a gateway without such a provider: they say what is missing."""

    async def refuse(request: Request) -> NoReturn:
        take_key(request.scope)
        await access.caller(HttpIncoming(request.scope, request.receive, max_body=0))
        raise InvalidRequest(
            "Files, caches and batches of Google's are kept by a provider, and this gateway's operator has named none: "
            'google = "gemini" under [gateway.files].',
            status=404,
            code="not_served",
        )

    return _routes(lambda _name: refuse)


class GoogleRoute(Route):
    """A route for Google's clients alone, where OpenAI's have one of the same path."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """See Starlette."""
        found = super().matches(scope)
        return found if found[0] is Match.NONE or speaks_gemini(Request(scope)) else (Match.NONE, {})


def _routes(handler: Callable[[str], Callable[..., Any]]) -> Sequence[Route]:
    found: list[Route] = []
    for version in VERSIONS:
        for method, path, name in TABLE:
            placed = path.replace("{version}", version)
            kind = GoogleRoute if (method, placed) in _SHARED else Route
            found.append(kind(placed, handler(name), methods=[method]))
    return found
