"""The style and the script of the pages, held in memory; their addresses change with what is in them."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.requests import Request

_FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Files:
    """The files by their names; they are read when the first one is asked for."""

    async def answer(self, request: Request) -> Response:
        """Answer with one of them."""
        found = self._all.get(request.path_params["name"])
        if found is None:
            return Response(status_code=404)
        content, kind = found
        headers = {
            "cache-control": "public, max-age=31536000, immutable",
            "x-content-type-options": "nosniff",
        }
        return Response(content, media_type=kind, headers=headers)

    def address(self, name: str) -> str:
        """Where a file is, below the mount point."""
        return f"/console/static/{name}?{self._digests[name]}"

    @functools.cached_property
    def _all(self) -> dict[str, tuple[bytes, str]]:
        found = (path for path in _FOLDER.iterdir() if path.suffix in _TYPES)
        return {path.name: (path.read_bytes(), _TYPES[path.suffix]) for path in found}

    @functools.cached_property
    def _digests(self) -> dict[str, str]:
        return {name: hashlib.sha256(content).hexdigest()[:12] for name, (content, _) in self._all.items()}
