"""Uploads to a provider in pieces, as Google's clients send them. https://ai.google.dev/api/files#method:-media.upload.

The first request is answered with an address for the pieces, which come without any key. So that address is a ticket
here, too, good for who has begun the upload and for this one file.
"""

from __future__ import annotations

import os
import time
from typing import Any, Final, cast
from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.access import Access
from gateway.api.files import FORM_BYTES
from gateway.api.gemini import take_key
from gateway.api.google.keeper import GoogleKeeper, copy_id
from gateway.api.google.kinds import FILE
from gateway.api.incoming import HttpIncoming
from gateway.api.lifecycle import Lifecycle
from gateway.errors import GatewayError, InvalidRequest, ProviderError
from gateway.identity.tenants import Tenants
from gateway.store.files import CHUNK_BYTES, StoredFile, begin_copy, end_copy, stored_bytes, write_piece
from gateway.store.tickets import Tickets
from gateway.types import Answer, Principal, RawHeaders
from gateway.wire.body import read_request

_TICKET_SECONDS: Final = 3600.0
"""From the last piece on."""
_COPY_SECONDS: Final = 3 * 86_400.0
"""Longer than Google keeps the file."""
_PIECE: Final = 8 * CHUNK_BYTES
"""Of which every piece but the last is a multiple."""
_DIGITS: Final = 15
_SERVER_ERROR: Final = 500
_START: Final = b"x-goog-upload-"
_HIDDEN: Final = frozenset({b"x-goog-upload-url", b"x-goog-upload-chunk-granularity"})

_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode
_decode_principal: Final = msgspec.json.Decoder(Principal).decode


class _Upload(msgspec.Struct):
    """What a ticket stands for."""

    principal: str
    """JSON."""
    path: str
    query: str
    """Where the provider wants the pieces."""
    copy: str | None
    """Under which id the lines of a batch are kept until they have a name."""


class Uploads:
    """Files on their way to one provider."""

    def __init__(
        self,
        keeper: GoogleKeeper,
        *,
        access: Access,
        lifecycle: Lifecycle,
        tenants: Tenants,
        max_bytes: int,
        max_tenant_bytes: int,
    ) -> None:
        self._keeper = keeper
        self._access = access
        self._lifecycle = lifecycle
        self._tenants = tenants
        self._tickets = Tickets(keeper.database, "google_upload")
        self._max_bytes = max_bytes
        self._max_tenant_bytes = max_tenant_bytes

    async def upload(self, request: Request) -> Response:
        """Begin an upload, or take a piece of one that has begun."""
        self._lifecycle.admit()
        token = request.query_params.get("upload_id")
        if not token:
            take_key(request.scope)
            return await self._begin(request, HttpIncoming(request.scope, request.receive, FORM_BYTES))
        try:
            return await self._piece(token, HttpIncoming(request.scope, request.receive, self._max_bytes))
        except GatewayError as error:
            if error.status < _SERVER_ERROR:
                # Else the client would try again.
                error.headers = (*error.headers, (b"x-goog-upload-status", b"final"))
            raise

    async def _begin(self, request: Request, incoming: HttpIncoming) -> Response:
        principal = await self._access.caller(incoming)
        headers = _upload_headers(incoming)
        said = dict(headers)
        if (
            said.get(b"x-goog-upload-protocol", b"").lower() != b"resumable"
            or said.get(b"x-goog-upload-command", b"").lower() != b"start"
        ):
            raise InvalidRequest(
                "An upload begins with the headers 'X-Goog-Upload-Protocol: resumable' and 'X-Goog-Upload-Command: start'.",
                code="unsupported_upload",
            )
        body = await incoming.body()
        fields = _file_in(read_request(_decode, body)) or {} if body else {}
        if fields.get("name"):
            raise InvalidRequest(
                "'file.name' cannot be chosen, for other accounts' files are beside yours: leave it out.",
                param="file.name",
            )
        size = _number(said.get(b"x-goog-upload-header-content-length", b""))
        self._check_size(size)
        path = request.url.path.removeprefix(request.scope.get("root_path", ""))
        answer = await self._keeper.remote.send(principal, "POST", path, body=body or b"{}", headers=headers)
        await self._keeper.remote.read(answer)
        there = urlsplit(dict(answer.headers).get(b"x-goog-upload-url", b"").decode("latin-1"))
        if not there.path.startswith("/upload/") or not there.query.isascii():
            name = self._keeper.remote.name
            told = f"The provider '{name}' did not say where the file is to be sent."
            raise ProviderError(told, provider=name, code="upstream_malformed")
        kind = said.get(b"x-goog-upload-header-content-type", b"").decode("latin-1")
        # What is JSON may be the lines of a batch, which nobody can read back from there.
        is_read = "json" in str(fields.get("mimeType") or kind)
        copy = await self._begin_copy(principal, size) if is_read else None
        upload = _Upload(msgspec.json.encode(principal).decode(), there.path, there.query, copy)
        token = await self._tickets.issue(msgspec.to_builtins(upload), seconds=_TICKET_SECONDS)
        address = f"{str(request.base_url).rstrip('/')}{path}?upload_id={token}&upload_protocol=resumable"
        response = Response(b"")
        response.raw_headers += [
            *_status_headers(answer),
            (b"x-goog-upload-url", address.encode()),
            (b"x-goog-upload-chunk-granularity", b"%d" % _PIECE),
        ]
        return response

    async def _piece(self, token: str, incoming: HttpIncoming) -> Response:
        data = await self._tickets.look(token)
        if data is None:
            raise InvalidRequest(
                "There is no such upload any more: begin it again.", status=404, code="unknown_upload"
            )
        upload = msgspec.convert(data, _Upload)
        principal = self._tenants.admit(_decode_principal(upload.principal))
        headers, body = _upload_headers(incoming), await incoming.body()
        offset = _number(dict(headers).get(b"x-goog-upload-offset", b"0"))
        self._check_size(offset + len(body))
        if upload.copy is not None and offset % CHUNK_BYTES:
            raise InvalidRequest(f"Every piece but the last must be a multiple of {_PIECE} bytes long.")
        remote = self._keeper.remote
        answer = await remote.send(
            principal,
            "POST",
            upload.path,
            query=upload.query,
            body=body,
            content_type="application/octet-stream",
            headers=headers,
        )
        said = await remote.read(answer)
        if upload.copy is not None and body:
            await write_piece(self._keeper.database, principal.tenant, upload.copy, offset, body)
        if dict(answer.headers).get(b"x-goog-upload-status") == b"final":
            await self._end(principal, upload, said, offset + len(body))
            await self._tickets.redeem(token)
        else:
            await self._tickets.change(token, data, seconds=_TICKET_SECONDS)
        response = Response(said, status_code=answer.status, media_type="application/json")
        response.raw_headers += _status_headers(answer)
        return response

    async def _end(self, principal: Principal, upload: _Upload, said: bytes, size: int) -> None:
        try:
            file = _file_in(_decode(said))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            file = None
        if file is None:
            return  # it was cancelled
        row = await self._keeper.keep(principal, FILE, file)
        if upload.copy is not None:
            named = copy_id(row.id)
            await end_copy(self._keeper.database, principal.tenant, upload.copy, named=named, size=size)

    async def _begin_copy(self, principal: Principal, size: int) -> str:
        held = await stored_bytes(self._keeper.database, principal.tenant)
        if held + size > self._max_tenant_bytes:
            raise InvalidRequest(
                f"With this file of {size} bytes, your files would hold more than the {self._max_tenant_bytes} bytes "
                f"allowed: they hold {held} now.",
                code="storage_full",
            )
        now = time.time()
        row = StoredFile(
            tenant=principal.tenant,
            id=f"google-{os.urandom(16).hex()}",
            key=principal.key,
            name="",
            purpose="batch",
            bytes=size,
            created_at=now,
            expires_at=now + _COPY_SECONDS,
        )
        await begin_copy(self._keeper.database, row)
        return row.id

    def _check_size(self, size: int) -> None:
        if size > self._max_bytes:
            told = f"The file is larger than the {self._max_bytes} bytes allowed."
            raise InvalidRequest(told, status=413, param="file", code="request_too_large")


def _file_in(fields: dict[str, Any]) -> dict[str, Any] | None:
    file = fields.get("file")
    return cast("dict[str, Any]", file) if isinstance(file, dict) else None


def _upload_headers(incoming: HttpIncoming) -> RawHeaders:
    return [header for header in incoming.header_list if header[0].startswith(_START)]


def _status_headers(answer: Answer) -> RawHeaders:
    return [
        (name, value) for name, value in answer.headers if name.startswith(_START) and name not in _HIDDEN
    ]


def _number(text: bytes) -> int:
    if not text:
        return 0
    if not text.isdigit() or len(text) > _DIGITS:
        raise InvalidRequest(f"'{text.decode('latin-1')}' is no number of bytes.")
    return int(text)
