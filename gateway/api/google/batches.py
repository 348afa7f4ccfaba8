"""Batches: begun, described, listed, cancelled and deleted. https://ai.google.dev/api/batch-api."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.api.google.asking import Asking
from gateway.api.google.keeper import MOST_BYTES, copy_id
from gateway.api.google.kinds import BATCH, FILE, MODELS
from gateway.batches.abroad import Order, Wanted, lines_of, place
from gateway.batches.google import GoogleReader, model_in
from gateway.batches.input import MOST_LINES
from gateway.errors import InvalidRequest
from gateway.store.batch_runs import Line
from gateway.store.files import get_copy, read_file
from gateway.types import Dialect, Principal
from gateway.wire import WIRES, Given
from gateway.wire.body import read_request
from gateway.wire.gemini_embed import EMBED, tokens_asked

METHODS: Final[dict[str, Dialect]] = {
    "batchGenerateContent": "gemini.generate",
    "asyncBatchEmbedContent": EMBED,
}
"""The dialect of the requests of each method."""

_decode: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_list: Final = msgspec.json.Decoder(list[dict[str, Raw]]).decode


class GoogleBatches:
    """A tenant's own batches at one provider."""

    def __init__(self, asking: Asking, *, max_line: int) -> None:
        self._asking = asking
        self._keeper = asking.keeper
        self._max_line = max_line

    async def create(self, request: Request) -> Response:
        """Begin a batch: each of its requests is a call, for which billing holds what it may cost."""
        principal, body = await self._asking.read(request)
        keeper, remote = self._keeper, self._keeper.remote
        named, method = request.path_params["model"], request.url.path.rpartition(":")[2]
        own, dialect = keeper.names(remote.name, named), METHODS[method]
        order = Order(tenant=principal.tenant, input_file=BATCH.name, created_at=time.time())
        asked = _Asked(body, own=own, named=named, dialect=dialect)
        tokens: dict[str, int] = {}
        lines = self._own(principal.tenant, await self._lines(principal, asked), tokens, dialect)
        calls = await keeper.abroad.open(principal, order, WIRES[dialect], lines)
        try:
            path = self._asking.path(request, f"{MODELS}{own}:{method}")
            operation = await remote.ask(principal, "POST", path, body=asked.body, most=MOST_BYTES)
            begun = request.scope.get("gateway.begun")
            await keeper.begin(
                principal, order, calls, operation, model=own, dialect=dialect, tokens=tokens, begun=begun
            )
        except BaseException as error:
            keeper.abroad.give_up(calls, error)
            raise
        return JSONResponse(operation)

    async def show(self, request: Request) -> Response:
        """Describe a batch, with its results where it has them in itself."""
        return await self._asking.show(request, BATCH)

    async def list(self, request: Request) -> Response:
        """List batches."""
        return await self._asking.list(request, BATCH)

    async def cancel(self, request: Request) -> Response:
        """Cancel a batch."""
        principal, row = await self._asking.find(request, BATCH)
        path = self._asking.path(request, f"{row.upstream_id}:cancel")
        return JSONResponse(await self._keeper.remote.ask(principal, "POST", path, body=b"{}"))

    async def delete(self, request: Request) -> Response:
        """Delete a batch that has ended, and is settled: else nobody could tell any more what it has used."""
        principal, row = await self._asking.find(request, BATCH)
        if not row.call:
            path = self._asking.path(request, row.upstream_id)
            await self._keeper.note(
                row, await self._keeper.remote.ask(principal, "GET", path, most=MOST_BYTES)
            )
            row = await self._keeper.find(principal.tenant, BATCH, row.id)
        if not row.call:
            told = "The batch has not ended. Cancel it, and delete it once it is cancelled."
            raise InvalidRequest(told, code="FAILED_PRECONDITION")
        return await self._asking.delete(request, BATCH)

    async def _own(
        self, tenant: str, lines: AsyncIterator[Sequence[Wanted]], tokens: dict[str, int], dialect: Dialect
    ) -> AsyncIterator[Sequence[Wanted]]:
        """Look at the lines on their way, and note the tokens of embeddings, whose results may not tell them."""
        async for some in lines:
            await self._keeper.kept.check_lines(tenant, some)
            if dialect == EMBED:
                tokens |= {line.custom_id: tokens_asked(line.request) for line in some}
            yield some

    async def _lines(self, principal: Principal, asked: _Asked) -> AsyncIterator[Sequence[Wanted]]:
        if asked.file is None:
            return _once(asked.inlined())
        id = FILE.id_in(asked.file)  # noqa: A001 - Google's word
        row = await self._keeper.find(principal.tenant, FILE, id or "")
        database = self._keeper.database
        copy = await get_copy(database, principal.tenant, copy_id(row.id))
        if copy is None:
            raise InvalidRequest(
                f"The lines of '{asked.file}' are not known here: upload it with the type 'application/jsonl'.",
                param="batch.inputConfig.fileName",
            )
        reader = GoogleReader(max_line=self._max_line)
        return asked.listed(lines_of(reader, read_file(database, copy)))


class _Asked:
    """What a client asks for: requests within the batch, or the name of a file with them."""

    def __init__(self, body: bytes, *, own: str, named: str, dialect: Dialect) -> None:
        self.body = body
        """As the provider is to get it."""
        self._own = own
        self._named = named
        self._wire = WIRES[dialect]
        self._fields = read_request(_decode, body)
        self._batch = _object(self._fields, "batch")
        self._config_name, self._config = _either(self._batch, "inputConfig", "input_config")
        file = next((self._config[name] for name in ("fileName", "file_name") if name in self._config), None)
        self.file: str | None = None if file is None else str(msgspec.json.decode(file))

    def inlined(self) -> list[Wanted]:
        """Return the requests within the batch. Raises `InvalidRequest` naming the one at fault."""
        outer = _object(self._config, "requests", default=b"{}")
        requests = read_request(_decode_list, bytes(outer.get("requests", b"[]")))
        if not 0 < len(requests) <= MOST_LINES:
            raise InvalidRequest(
                f"A batch has 1 to {MOST_LINES} requests, in 'inputConfig.requests' or a file.",
                param="batch.inputConfig.requests",
            )
        wanted: list[Wanted] = []
        changed = False
        for number, one in enumerate(requests, 1):
            line = self._wanted(
                str(number), bytes(one.get("request", b"{}")), f"Request {number} of the batch"
            )
            wanted.append(line)
            model = msgspec.json.encode(MODELS + self._own)
            if model_in(line.request) is not None and self._own != self._named:
                one["request"] = Raw(msgspec.json.encode(_decode(line.request) | {"model": Raw(model)}))
                changed = True
        if changed:
            config = self._config | {"requests": _raw(outer | {"requests": _raw(requests)})}
            batch = self._batch | {self._config_name: _raw(config)}
            self.body = msgspec.json.encode(self._fields | {"batch": _raw(batch)})
        return wanted

    async def listed(self, lines: AsyncIterator[list[Line]]) -> AsyncIterator[Sequence[Wanted]]:
        """Yield the requests in a file. Raises as `inlined`."""
        async for some in lines:
            yield [self._wanted(line.custom_id, line.request, place(line)) for line in some]

    def _wanted(self, name: str, request: bytes, where: str) -> Wanted:
        try:
            self._wire.read(request, Given(model=self._own))
        except InvalidRequest as error:
            error.message = f"{where}: {error.message}"
            raise
        model = model_in(request)
        if model is not None and str(model).removeprefix(MODELS) not in {self._own, self._named}:
            raise InvalidRequest(
                f"{where}: it names the model '{model}', and the batch is for '{self._named}'.", param="model"
            )
        named = None if self._named == self._own else self._named
        return Wanted(custom_id=name, model=self._own, request=request, where=where, named=named)


async def _once(lines: list[Wanted]) -> AsyncIterator[Sequence[Wanted]]:
    yield lines


def _either(fields: dict[str, Raw], *names: str) -> tuple[str, dict[str, Raw]]:
    name = next((name for name in names if name in fields), names[0])
    return name, _object(fields, name)


def _object(fields: dict[str, Raw], name: str, *, default: bytes = b"null") -> dict[str, Raw]:
    try:
        return _decode(fields.get(name, default))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidRequest(f"'{name}' must be an object.", param=name) from None


def _raw(value: Any) -> Raw:
    return Raw(msgspec.json.encode(value))
