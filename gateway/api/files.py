"""Files: uploaded, listed, shown, read and deleted. https://platform.openai.com/docs/api-reference/files."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from gateway.api.access import Access
from gateway.api.incoming import HttpIncoming
from gateway.api.lifecycle import Lifecycle
from gateway.api.paging import limit_of, newest_first
from gateway.errors import InvalidRequest
from gateway.store import Database
from gateway.store.files import (
    CHUNK_BYTES,
    StoredFile,
    delete_file,
    get_file,
    list_files,
    read_file,
    stored_bytes,
    write_file,
)
from gateway.types import Principal
from gateway.wire.multipart import Field, Form, parse

PURPOSES: Final = ("assistants", "batch", "evals", "fine-tune", "user_data", "vision")
"""What a client may upload a file for."""
ALL_PURPOSES: Final = (*PURPOSES, "batch_output")
"""What a file may be for."""

_MOST: Final = 10_000
_LONGEST_NAME: Final = 500
_HOUR, _MONTH = 3600, 2_592_000
FORM_BYTES: Final = 65_536
"""What may come with a file: the other fields, and all headers."""


class FileEndpoints:
    """A tenant's own files. `max_bytes` is the size of one, `max_tenant_bytes` that of all together."""

    def __init__(
        self,
        *,
        access: Access,
        database: Database,
        lifecycle: Lifecycle,
        max_bytes: int,
        max_tenant_bytes: int,
    ) -> None:
        self._access = access
        self._database = database
        self._lifecycle = lifecycle
        self._max_bytes = max_bytes
        self._max_tenant_bytes = max_tenant_bytes

    def routes(self) -> tuple[Route, ...]:
        """List the routes."""
        one = "/v1/files/{id}"
        return (
            Route("/v1/files", self.upload, methods=["POST"]),
            Route("/v1/files", self.list),
            Route(one, self.show),
            Route(one, self.delete, methods=["DELETE"]),
            Route(f"{one}/content", self.content),
        )

    async def upload(self, request: Request) -> Response:
        """Store a file that comes in a form."""
        self._lifecycle.admit()
        incoming = HttpIncoming(request.scope, request.receive, self._max_bytes + FORM_BYTES)
        principal = await self._access.caller(incoming)
        form = parse(await incoming.body(), request.headers.get("content-type", ""))
        file = _file(form)
        now = time.time()
        row = StoredFile(
            tenant=principal.tenant,
            id=f"file-{os.urandom(16).hex()}",
            key=principal.key,
            name=_name(file),
            purpose=_purpose(form),
            created_at=now,
            expires_at=_expires_at(form, now),
        )
        await self._check_size(principal, file.end - file.start)
        row = await write_file(self._database, row, _pieces(form.body, file))
        return JSONResponse(file_object(row))

    async def list(self, request: Request) -> Response:
        """List files: the newest first, unless `order` is `asc`."""
        principal = await self._principal(request)
        query = request.query_params
        limit = limit_of(request, usual=_MOST, most=_MOST)
        after = await self._get(principal, query["after"], "after") if query.get("after") else None
        purpose = query.get("purpose")
        if purpose is not None and purpose not in ALL_PURPOSES:
            raise _bad_purpose(ALL_PURPOSES)
        page = await list_files(
            self._database,
            principal.tenant,
            after=after,
            limit=limit + 1,
            newest_first=newest_first(request),
            purpose=purpose,
        )
        data = [file_object(row) for row in page[:limit]]
        return JSONResponse(page_object(data, has_more=len(page) > limit))

    async def show(self, request: Request) -> Response:
        """Describe a file."""
        return JSONResponse(file_object(await self._find(request)))

    async def delete(self, request: Request) -> Response:
        """Delete a file. A batch that has not read it yet fails; one that has goes on."""
        row = await self._find(request)
        await delete_file(self._database, row.tenant, row.id)
        return JSONResponse({"id": row.id, "object": "file", "deleted": True})

    async def content(self, request: Request) -> Response:
        """Send a file, chunk by chunk."""
        row = await self._find(request)
        return StreamingResponse(
            read_file(self._database, row),
            media_type="application/octet-stream",
            headers={
                "content-length": str(row.bytes),
                "content-disposition": f"attachment; filename*=UTF-8''{quote(row.name, safe='')}",
                "x-content-type-options": "nosniff",
            },
        )

    async def _check_size(self, principal: Principal, size: int) -> None:
        if size > self._max_bytes:
            told = f"The file is larger than the {self._max_bytes} bytes allowed."
            raise InvalidRequest(told, status=413, param="file", code="request_too_large")
        held = await stored_bytes(self._database, principal.tenant)
        if held + size > self._max_tenant_bytes:
            raise InvalidRequest(
                f"With this file of {size} bytes, your files would hold more than the {self._max_tenant_bytes} bytes "
                f"allowed: they hold {held} now. Delete some first.",
                param="file",
                code="storage_full",
            )

    async def _find(self, request: Request) -> StoredFile:
        return await self._get(await self._principal(request), request.path_params["id"], "id")

    async def _get(self, principal: Principal, id: str, param: str) -> StoredFile:
        row = await get_file(self._database, principal.tenant, id) if "\0" not in id else None
        if row is None:
            raise InvalidRequest(f"No such File object: {id}", status=404, param=param)
        return row

    def _principal(self, request: Request) -> Any:
        return self._access.caller(HttpIncoming(request.scope, request.receive, max_body=0))


def file_object(row: StoredFile) -> dict[str, Any]:
    """Describe a file as OpenAI does."""
    return {
        "id": row.id,
        "object": "file",
        "bytes": row.bytes,
        "created_at": int(row.created_at),
        "expires_at": None if row.expires_at is None else int(row.expires_at),
        "filename": row.name,
        "purpose": row.purpose,
        "status": "processed",
        "status_details": None,
    }


def page_object(data: list[dict[str, Any]], *, has_more: bool) -> dict[str, Any]:
    """Make one page of a list."""
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": has_more,
    }


def _file(form: Form) -> Field:
    found = form.named("file")
    if len(found) != 1 or found[0].filename is None:
        raise InvalidRequest(
            "The form must hold one file, as a field named 'file' with a filename.",
            param="file",
            code="missing_required_parameter",
        )
    return found[0]


def _name(file: Field) -> str:
    name = file.filename or "file"
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise InvalidRequest(
            f"The filename must be printable and have at most {_LONGEST_NAME} characters.", param="file"
        )
    return name


def _purpose(form: Form) -> str:
    purpose = form.text("purpose")
    if purpose not in PURPOSES:
        raise _bad_purpose(PURPOSES)
    return purpose


def _bad_purpose(known: Sequence[str]) -> InvalidRequest:
    return InvalidRequest(
        f"Invalid value for 'purpose': expected one of {', '.join(known)}.", param="purpose"
    )


def _expires_at(form: Form, now: float) -> float | None:
    anchor, text = form.text("expires_after[anchor]"), form.text("expires_after[seconds]")
    if anchor is None and text is None:
        return now + _MONTH if form.text("purpose") == "batch" else None
    seconds = int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else 0  # noqa: PLR2004 - more than any
    return now + checked_seconds(anchor, seconds, "expires_after")


def checked_seconds(anchor: Any, seconds: Any, name: str) -> float:
    """Return how long a file is to be kept. Raises `InvalidRequest` for what OpenAI's API does not allow."""
    if anchor != "created_at":
        raise InvalidRequest(
            f"Invalid value for '{name}.anchor': expected 'created_at'.", param=f"{name}.anchor"
        )
    if not isinstance(seconds, int) or not _HOUR <= seconds <= _MONTH:
        raise InvalidRequest(
            f"Invalid value for '{name}.seconds': expected a number from {_HOUR} to {_MONTH}.",
            param=f"{name}.seconds",
        )
    return float(seconds)


async def _pieces(body: bytes, file: Field) -> AsyncGenerator[bytes]:
    for start in range(file.start, file.end, CHUNK_BYTES):
        yield body[start : min(start + CHUNK_BYTES, file.end)]
