"""The way of a call, readable from top to bottom.

    interceptors (call) → plan → ledger.open → for each target: interceptors (attempt) → provider → relay → settle

Authentication came before: a `Call` has its `Principal`. Whatever happens, a call that the ledger opened is settled once.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from gateway import fanout
from gateway.errors import GatewayError, PermissionDenied, ProviderError
from gateway.inflight import InFlight, Running
from gateway.ledger import Ledger, Pricing
from gateway.protocols import AroundAttempt, AroundCall, OnFinished, Provider, Reply
from gateway.push import DONE, Later, push
from gateway.routing import RoutingTable
from gateway.types import Answer, Attempt, Call, Outcome, Proceed, ProceedAttempt, Status, Target
from gateway.wire import ESTIMATE, Exchange, StreamCut, StreamFailed, WireError, exchange
from gateway.wire.made import MAKES, made_as

log = logging.getLogger("gateway")

CLIENTS_FAULT: Final = frozenset({400, 404, 413, 422})
"""Statuses of a provider that another target would answer with as well."""


class Pipeline:
    """Runs calls. Everything it needs is fixed when the gateway is built."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        routing: RoutingTable,
        pricing: Pricing,
        providers: Mapping[str, Provider],
        interceptors: Sequence[object],
        inflight: InFlight,
        may_drop: Collection[str] = frozenset(),
    ) -> None:
        self._ledger = ledger
        self._may_drop = may_drop
        self._routing = routing
        self._pricing = pricing
        self._providers = providers
        self._inflight = inflight
        self._observers = tuple(i for i in interceptors if isinstance(i, OnFinished))
        self._proceed: Proceed = self._attempts
        for interceptor in reversed(interceptors):
            if isinstance(interceptor, AroundCall):
                self._proceed = functools.partial(interceptor.around_call, proceed=self._proceed)
        self._proceed_attempt: ProceedAttempt = self._send
        for interceptor in reversed(interceptors):
            if isinstance(interceptor, AroundAttempt):
                self._proceed_attempt = functools.partial(
                    interceptor.around_attempt, proceed=self._proceed_attempt
                )

    async def run(self, call: Call, reply: Reply) -> None:
        """Run one call to its end and answer the client. Raises nothing but cancellation from outside."""
        running = self._inflight.add(call, reply)
        try:
            try:
                answer = await self._answer(call)
                if answer.stream is None:
                    sending = self._relay_whole(running, answer)
                    if sending is not DONE:
                        await sending
                else:
                    await self._relay_stream(running, answer)
            except BaseException as error:
                failure = self._failure(running, error)
                if failure is None:
                    raise
                await self._tell(running, failure)
        finally:
            self._inflight.remove(running)

    async def _tell(self, running: Running, failure: GatewayError) -> None:
        failure.request_id = running.call.request_id
        try:
            await running.reply.fail(failure)
        except asyncio.CancelledError:
            # Stopped again while it waited for a client that does not read: the connection is then just cut.
            if not running.take_back():
                raise

    def _answer(self, call: Call) -> Awaitable[Answer]:
        if call.principal.models is not None:
            name = call.asks_for
            if name is not None and not call.principal.may_use(name):
                raise PermissionDenied(
                    f"This API key may not use the model '{name}'.", param="model", code="model_not_allowed"
                )
        return self._proceed(call)

    async def _attempts(self, call: Call) -> Answer:
        """Try the targets in order, until one answers."""
        running = self._inflight[call.id]
        plan = self._routing.plan(call)
        if self._pricing.refuses and call.own is None:
            for target in plan:
                self._pricing.check(
                    self._providers[target.provider].catalogue, target.model, call.received_at
                )
        await self._ledger.open(call)
        running.opened = True
        last = plan[-1]
        for target in plan:
            try:
                attempt, turn = self._attempt(running, target)
                if turn.copies > 1:
                    return await self._fan_out(running, attempt, turn)
                answer = await self._proceed_attempt(attempt)
                if answer.stream is None:
                    return _read(running.outcome, answer, turn)
                return await self._read_first(running, answer, turn)
            except ProviderError as error:
                if target is last or not error.can_fall_back:
                    raise
                log.warning(
                    "%s: %s failed, trying the next target: %s", call.id, target.provider, error.message
                )
        raise AssertionError("a plan is never empty")

    def _attempt(self, running: Running, target: Target) -> tuple[Attempt, Exchange]:
        """Begin the next attempt: put the call in the words of the target."""
        call, outcome = running.call, running.outcome
        outcome.attempts += 1
        outcome.provider = target.provider
        outcome.upstream_model = target.model
        running.catalogue = self._providers[target.provider].catalogue
        turn = exchange(call, target.dialect, provider=target.provider, may_drop=self._may_drop)
        attempt = Attempt(
            call=call,
            target=target,
            number=outcome.attempts,
            body=turn.prepare(target.model),
            content_type=turn.content_type,
        )
        return attempt, turn

    async def _read_first(self, running: Running, answer: Answer, turn: Exchange) -> Answer:
        """Read the beginning of a streamed answer."""
        try:
            running.reader = turn.reader()
            running.first = await self._first_events(running, answer)
        except BaseException as error:
            raise _unreadable(running.outcome, answer, error) from error
        _note_head(answer, turn, running.outcome)
        return answer

    async def _fan_out(self, running: Running, attempt: Attempt, turn: Exchange) -> Answer:
        """Send an attempt several times at once, where each of several choices needs a request of its own."""
        outcome = running.outcome
        answers = await fanout.gather(lambda: self._proceed_attempt(attempt), turn.copies)
        answer = answers[0]
        try:
            if answer.stream is None:
                answer.body, outcome.usage = turn.whole_of([each.body for each in answers])
            else:
                streams = fanout.Streams(answers)
                answer = Answer(
                    answer.status, answer.headers, stream=streams, close=streams.close, scrub=answer.scrub
                )
                running.reader = turn.reader_of(lambda: streams.speaking)
                running.first = await self._first_events(running, answer)
        except BaseException as error:
            raise _unreadable(outcome, answer, error) from error
        _note_head(answer, turn, outcome)
        return answer

    def _send(self, attempt: Attempt) -> Awaitable[Answer]:
        if attempt.target.dialect == ESTIMATE:
            return _estimated(attempt)
        return self._providers[attempt.target.provider].send(attempt)

    async def _first_events(self, running: Running, answer: Answer) -> bytes:
        """Return the first whole events that the client may see; b"" when the stream holds none.

        A provider's comments before them are left out: they promise nothing, and another target may yet be tried.
        """
        reader, stream = running.reader, answer.stream
        assert reader is not None
        assert stream is not None
        async for chunk in stream:
            data = reader.feed(chunk)
            if reader.failure is not None:  # with nothing sent yet, another target may still be tried
                raise reader.failure
            if data and reader.began:
                return data
        return reader.end()

    def _relay_whole(self, running: Running, answer: Answer) -> Awaitable[None]:
        if running.reply.started:  # by a sign of life, on a stream that a whole answer cannot become
            provider = running.outcome.provider or ""
            problem = f"The provider '{provider}' sent a whole answer where a stream was asked for."
            raise ProviderError(problem, provider=provider, code="upstream_malformed")
        outcome = running.outcome
        outcome.http_status = answer.status
        if answer.status < 400:  # noqa: PLR2004 - a provider's own error is handed on only from a path of its own
            self._settle(running, "success")
        else:
            outcome.error_code = "upstream_error"
            outcome.error_message = f"The provider answered with status {answer.status}."
            self._settle(running, "failed")
        return running.reply.whole(answer)

    async def _relay_stream(self, running: Running, answer: Answer) -> None:
        reply, reader, outcome = running.reply, running.reader, running.outcome
        stream = answer.stream
        assert reader is not None
        assert stream is not None
        outcome.http_status = answer.status
        feed, write = reader.feed, reply.write

        def take(chunk: bytes) -> Awaitable[None]:
            data = feed(chunk)
            if reader.finished and data:
                # Settled before the client can see the end: a finished answer is always in the ledger.
                self._settle(running, "success")
            shown = write(data) if data else DONE
            if reader.failure is None:
                return shown
            return Later(functools.partial(_fail_after, shown, reader.failure))

        try:
            await reply.begin(answer)
            if running.first:
                if reader.finished:
                    self._settle(running, "success")
                await write(running.first)
                running.first = b""  # a stream may be open for long
                await push(stream, take)
                rest = reader.end()
                if rest:
                    self._settle(running, "success")
                    await write(rest)
        except BaseException as error:
            failure = _unreadable(outcome, answer, error)
            # What breaks after the provider's last word takes nothing from the answer.
            if not (reader.finished and isinstance(error, ProviderError)):
                raise failure from error
        self._settle(running, "success")
        await reply.end()

    def _failure(self, running: Running, error: BaseException) -> GatewayError | None:
        """Settle a call that did not succeed; return what to tell the client, None when nobody is to be told."""
        outcome = running.outcome
        told: GatewayError | None
        if isinstance(error, GatewayError):
            told = error
        elif isinstance(error, Exception):
            log.error("%s: internal error", running.call.id, exc_info=error)
            told = GatewayError("The gateway failed to process this request.")
        elif running.take_back():
            told = running.abort_reason
        else:
            told = None
        if running.settled:
            return told
        reason = told or GatewayError("The gateway was shut down.", status=499, code="shutdown")
        outcome.error_code = reason.code or reason.type
        outcome.error_message = reason.message
        if outcome.http_status == 0:
            outcome.http_status = reason.status
        self._settle(running, "cancelled" if reason.status == 499 else "failed")  # noqa: PLR2004 - client gone
        return told

    def _settle(self, running: Running, status: Status) -> None:
        """Write down the end of a call, once. Synchronous, so that no cancellation can come between."""
        if running.settled:
            return
        running.settled = True
        call, outcome = running.call, running.outcome
        outcome.status = status
        outcome.ended_at = time.time()
        try:
            self._account(running)
        except Exception:  # a call is settled whatever happens; without its cost rather than not at all
            log.exception("%s: usage and cost could not be told", call.id)
        if running.opened:
            self._ledger.settle(call, outcome)
        for observer in self._observers:
            try:
                observer.finished(call, outcome)
            except Exception:
                log.exception("%s: %s.finished failed", call.id, type(observer).__name__)

    def _account(self, running: Running) -> None:
        """Fill in what the call consumed and what that cost."""
        call, outcome = running.call, running.outcome
        if outcome.usage is None and running.reader is not None:
            told = running.reader.usage
            outcome.usage = told if told is not None and told.is_credible() else running.reader.estimate(call)
        if call.capability in MAKES and outcome.usage is not None:
            size, quality = made_as(call)
            outcome.usage = replace(outcome.usage, size=size, quality=quality)
        if running.opened and running.catalogue is not None:
            self._pricing.apply(outcome, running.catalogue, call.received_at, call.principal.tenant)


async def _estimated(attempt: Attempt) -> Answer:
    """Answer for a provider that cannot count tokens: putting the request in its dialect has counted them."""
    headers = [(b"content-type", b"application/json"), (b"x-gateway-estimated", b"true")]
    return Answer(200, headers, body=attempt.body)


async def _fail_after(shown: Awaitable[None], failure: Exception) -> None:
    await shown
    raise failure


def _read(outcome: Outcome, answer: Answer, turn: Exchange) -> Answer:
    """Read a whole answer."""
    try:
        answer.body, outcome.usage = turn.whole(answer.body)
    except BaseException as error:
        raise _unreadable(outcome, answer, error) from error
    _note_head(answer, turn, outcome)
    return answer


def _note_head(answer: Answer, turn: Exchange, outcome: Outcome) -> None:
    if turn.answer_type is not None:
        others = [header for header in answer.headers if header[0] != b"content-type"]
        answer.headers = [(b"content-type", turn.answer_type), *others]
    if turn.dropped:
        answer.headers.append((b"x-gateway-dropped", ", ".join(turn.dropped).encode()))
    outcome.first_byte_at = time.time()


def _unreadable(outcome: Outcome, answer: Answer, error: BaseException) -> BaseException:
    """Let go of an answer that cannot be read to its end; return what to raise instead of what broke it."""
    if answer.close is not None:
        answer.close()
    return _as_provider_error(error, outcome.provider or "", answer.scrub)


def _as_provider_error(error: BaseException, provider: str, scrub: Callable[[str], str]) -> BaseException:
    """Say in the gateway's words what went wrong with a provider's answer; other errors stay as they are."""
    if isinstance(error, UnicodeDecodeError):  # in a part that is read only when it is written for the client
        error = WireError("a part of the answer is not valid UTF-8")
    if isinstance(error, WireError):
        code = "upstream_cut" if isinstance(error, StreamCut) else "upstream_malformed"
        return ProviderError(f"The provider '{provider}' failed: {error}.", provider=provider, code=code)
    if isinstance(error, StreamFailed):
        failure = ProviderError(
            scrub(error.message),
            provider=provider,
            can_fall_back=error.status not in CLIENTS_FAULT,
            status=error.status,
            type=scrub(error.type) if error.type else None,
        )
        failure.code = scrub(error.code) if error.code else None  # a provider that names none means it
        return failure
    return error
