"""Batches that a provider carries out: each line is a call, opened before the batch begins and closed once it has ended.

So money is held for every line before the provider hears of it, and each is charged once, whoever finds the results.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway.batches.input import Reader
from gateway.batches.results import Result
from gateway.errors import GatewayError, InvalidRequest, PermissionDenied
from gateway.ledger import Ledger, Pricing
from gateway.ledger.rows import call_of
from gateway.store import Database
from gateway.store.batch_calls import open_calls
from gateway.store.batch_runs import Line
from gateway.store.jobs import StoredJob
from gateway.types import Call, Outcome, Principal
from gateway.wire import Wire

_TOGETHER: Final = 200
"""Lines that are opened in one transaction, or closed before the next ones are."""
_LEFT: Final = {
    "cancelled": ("batch_cancelled", "The batch was cancelled before this request was made."),
    "expired": ("batch_expired", "The batch expired before this request was made."),
    "failed": ("batch_failed", "The provider refused the batch."),
    "completed": ("usage_unknown", "The batch has ended without a result for this request."),
}
"""By how a batch has ended: what is said of a line without a result."""


_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


class Wanted(Struct, frozen=True, kw_only=True):
    """One line that a batch is to carry out."""

    custom_id: str
    model: str
    """As the provider names it."""
    request: bytes
    where: str
    """For messages: `Line 3 of the input file ('a')`."""
    named: str | None = None
    """The model as the client named it, where that was by a name of the gateway's."""


class Order(Struct, frozen=True, kw_only=True):
    """What makes a batch this one and no other, before its provider has named it."""

    tenant: str
    input_file: str
    created_at: float
    """Unix seconds."""

    @classmethod
    def of(cls, batch: StoredJob) -> Order:
        """Tell it of a batch that its provider has taken."""
        file = str(_decode(batch.shown).get("input_file_id"))
        return cls(tenant=batch.tenant, input_file=file, created_at=batch.created_at)


class Abroad:
    """The lines of one provider's batches as calls in the ledger."""

    def __init__(
        self,
        *,
        database: Database,
        ledger: Ledger,
        pricing: Pricing,
        provider: str,
        catalogue: str,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._pricing = pricing
        self._provider = provider
        self._catalogue = catalogue

    async def open(
        self, principal: Principal, order: Order, wire: Wire, lines: AsyncIterator[Sequence[Wanted]]
    ) -> list[Call]:
        """Open a call for each line. When one is refused, none is left open.

        Raises what `lines` raises, `InvalidRequest` naming the line at fault, `PermissionDenied` for a model that may not
        be used, and what billing refuses with.
        """
        opened: list[Call] = []
        waiting: list[Call] = []
        try:
            async for some in lines:
                waiting += [self._begun(line, wire, principal, order) for line in some]
                while len(waiting) >= _TOGETHER:
                    await self._open(waiting[:_TOGETHER], opened)
                    del waiting[:_TOGETHER]
            await self._open(waiting, opened)
        except BaseException as error:
            self.give_up(opened, error)
            raise
        return opened

    def give_up(self, calls: Sequence[Call], error: BaseException) -> None:
        """Close calls whose batch has not begun."""
        refused = error if isinstance(error, GatewayError) else None
        for call in calls:
            outcome = Outcome(
                status="failed" if refused else "cancelled",
                http_status=refused.status if refused else 499,
                ended_at=time.time(),
                error_code="batch_refused",
                error_message=refused.message if refused else "The batch was given up before it began.",
            )
            self._ledger.settle(call, outcome)

    async def close(
        self,
        batch: StoredJob,
        order: Order,
        wire: Wire,
        status: str,
        results: AsyncIterator[Result],
        *,
        prompts: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """Close the calls of a batch that has ended as `status`, with their results; as often as it takes.

        `prompts` has the tokens of each line, estimated, for results that do not tell their usage. Raises what `results` raises, and `Unavailable`: then some calls are still open.
        """
        rows = await open_calls(self._database, batch)
        left = {row.id: call_of(row) for row in rows}
        closing: list[asyncio.Future[None]] = []
        async for result in results:
            call = left.pop(self._id(order, result.custom_id), None)
            if call is None and not self._ledger.opens:
                call = self._unopened(batch, order, wire, result)
            if call is not None:
                outcome = self._outcome(call, wire, result, prompts.get(result.custom_id, 0))
                closing.append(self._ledger.close(call, outcome))
            if len(closing) >= _TOGETHER:
                await asyncio.gather(*closing)
                closing.clear()
        code, message = _LEFT[status]
        for call in left.values():
            outcome = self._ended(call, "cancelled" if status == "cancelled" else "failed")
            outcome.error_code, outcome.error_message = code, message
            closing.append(self._ledger.close(call, outcome))
            if len(closing) >= _TOGETHER:
                await asyncio.gather(*closing)
                closing.clear()
        await asyncio.gather(*closing)

    async def _open(self, calls: Sequence[Call], opened: list[Call]) -> None:
        if calls:
            await self._ledger.open_abroad(calls)
            opened += [replace(call, body=b"") for call in calls]

    def _begun(self, line: Wanted, wire: Wire, principal: Principal, order: Order) -> Call:
        call = self._call(order, line.custom_id, wire, principal, f"{self._provider}/{line.model}")
        try:
            self._pricing.check(self._catalogue, line.model, order.created_at)
        except InvalidRequest as error:
            error.message = f"{line.where}: {error.message}"
            raise
        if not principal.may_use(line.named or call.model):
            raise PermissionDenied(
                f"{line.where}: this API key may not use the model '{line.named or call.model}'.",
                param="input_file_id",
                code="model_not_allowed",
            )
        return replace(call, body=line.request)

    def _call(self, order: Order, custom_id: str, wire: Wire, principal: Principal, model: str) -> Call:
        id = self._id(order, custom_id)  # noqa: A001 - OpenAI's word
        return Call(
            id=id,
            request_id=f"req_{id[5:]}",
            client_request_id=custom_id,
            capability=wire.capability,
            dialect=wire.name,
            model=model,
            stream=False,
            shows_usage=True,
            body=b"",
            principal=principal,
            received_at=order.created_at,
            batch=True,
        )

    def _unopened(self, batch: StoredJob, order: Order, wire: Wire, result: Result) -> Call:
        """Make the call of a result where the ledger has no intents: of who asked, only the key is known."""
        principal = Principal(tenant=batch.tenant, authenticator="", key=batch.key)
        call = self._call(order, result.custom_id, wire, principal, f"{self._provider}/{result.model}")
        return replace(call, client_request_id=f"{batch.id}/{result.custom_id}"[:200])

    def _id(self, order: Order, custom_id: str) -> str:
        """The id of a line's call: the same whenever it is told, and no other line's."""
        words = (self._provider, order.tenant, order.input_file, repr(order.created_at), custom_id)
        digest = hashlib.sha256("\0".join(words).encode(errors="surrogatepass")).hexdigest()
        return f"call_{int(order.created_at * 1000):012x}{digest[:16]}"

    def _outcome(self, call: Call, wire: Wire, result: Result, prompt: int) -> Outcome:
        outcome = self._ended(call, "success" if result.succeeded else "failed")
        outcome.http_status = result.status
        if not result.succeeded:
            outcome.error_code, outcome.error_message = result.error
            return outcome
        model = outcome.upstream_model or ""
        usage = wire.usage(result.body)
        if usage is None or not usage.is_credible():  # the call's body is not known any more
            usage = replace(wire.estimate(call, result.body), prompt_tokens=prompt)
        outcome.usage = self._pricing.in_batch(usage, self._catalogue, model)
        self._pricing.apply(outcome, self._catalogue, call.received_at, call.principal.tenant)
        return outcome

    def _ended(self, call: Call, status: Any) -> Outcome:
        return Outcome(
            status=status,
            provider=self._provider,
            upstream_model=call.model.removeprefix(f"{self._provider}/"),
            attempts=1,
            ended_at=time.time(),
        )


async def lines_of(reader: Reader, content: AsyncIterator[bytes]) -> AsyncIterator[list[Line]]:
    """Yield the lines of an input file. Raises `InvalidRequest` naming the first that is at fault."""
    async for piece in content:
        yield _checked(reader, reader.feed(piece))
    yield _checked(reader, reader.end())


def place(line: Line) -> str:
    """Say which line of the input file it is."""
    return f"Line {line.number} of the input file ('{line.custom_id}')"


def _checked(reader: Reader, lines: list[Line]) -> list[Line]:
    if reader.problems:
        problem = reader.problems[0]
        where = "The input file" if problem.line is None else f"Line {problem.line} of the input file"
        raise InvalidRequest(f"{where}: {problem.message}", param="input_file_id", code=problem.code)
    return lines
