"""Cached contents. https://ai.google.dev/api/caching.

Nobody could tell what keeping one costs, which goes by the hour. So the operator declares that they may be made, as with
every path that is not metered; then each is in the ledger, without usage.
"""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.api.call import new_call
from gateway.api.door import CollectedReply
from gateway.api.google.asking import Asking
from gateway.api.google.kinds import CACHE, MODELS
from gateway.api.incoming import HttpIncoming
from gateway.errors import InvalidRequest, PermissionDenied
from gateway.pipeline import Pipeline
from gateway.types import OwnPath, Principal
from gateway.wire import PASSTHROUGH, WIRES, Given
from gateway.wire.body import read_request

_decode: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_name: Final = msgspec.json.Decoder(str).decode


class GoogleCaches:
    """A tenant's own caches at one provider."""

    def __init__(self, asking: Asking, pipeline: Pipeline) -> None:
        self._asking = asking
        self._pipeline = pipeline

    async def create(self, request: Request) -> Response:
        """Make a cache, of one of the models that the caller may use."""
        principal, body = await self._asking.read(request)
        fields = read_request(_decode, body)
        try:
            named = _decode_name(fields.get("model", b"null")).removeprefix(MODELS)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise InvalidRequest(
                "'model' must name the model that is to use the cache.", param="model"
            ) from None
        own = self._asking.keeper.names(self._asking.keeper.remote.name, named)
        if own != named:
            body = msgspec.json.encode(fields | {"model": msgspec.Raw(msgspec.json.encode(MODELS + own))})
        made = await self._call(request, principal, "POST", CACHE.folder, body, model=own)
        await self._asking.keeper.keep(principal, CACHE, made)
        return JSONResponse(made)

    async def change(self, request: Request) -> Response:
        """Change how long a cache is kept."""
        principal, body = await self._asking.read(request)
        keeper = self._asking.keeper
        row = await keeper.find(principal.tenant, CACHE, request.path_params["id"])
        fields = await self._call(request, principal, "PATCH", row.upstream_id, body)
        return JSONResponse(await keeper.note(row, fields))

    async def show(self, request: Request) -> Response:
        """Describe a cache."""
        return await self._asking.show(request, CACHE)

    async def list(self, request: Request) -> Response:
        """List caches."""
        return await self._asking.list(request, CACHE)

    async def delete(self, request: Request) -> Response:
        """Delete a cache."""
        return await self._asking.delete(request, CACHE)

    async def _call(
        self,
        request: Request,
        principal: Principal,
        method: str,
        name: str,
        body: bytes,
        *,
        model: str | None = None,
    ) -> dict[str, Any]:
        remote = self._asking.keeper.remote
        path = self._asking.path(request, name)
        declared = remote.paths.declared(method, path)
        if declared is None:
            raise PermissionDenied(
                f"What a cache costs is not metered, so it is refused unless it is declared: "
                f'passthrough = ["/cachedContents", "/cachedContents/*"] in [provider.{remote.name}].',
                code="unmetered_route",
            )
        headers = HttpIncoming(request.scope, request.receive, max_body=0).headers
        given = Given(model=declared, provider=remote.name)
        call = new_call(WIRES[PASSTHROUGH], request.scope, headers, principal, body=body, given=given)
        own = OwnPath(
            method=method,
            path=path,
            query=cast("bytes", request.scope["query_string"]).decode("latin-1"),
            headers=[(b"content-type", b"application/json")],
            model=model,
        )
        reply = CollectedReply(request.receive)
        await self._pipeline.run(msgspec.structs.replace(call, own=own), reply)
        return await remote.object_of(reply.result())
