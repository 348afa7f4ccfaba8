"""The door for plugins that serve calls at paths of their own: the same access, pipeline and models as everywhere."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence

from starlette.types import Receive, Scope, Send

from gateway.api.access import Access
from gateway.api.call import new_call
from gateway.api.incoming import HttpIncoming
from gateway.api.lifecycle import Lifecycle
from gateway.api.reply import HttpReply
from gateway.errors import GatewayError
from gateway.pipeline import Pipeline
from gateway.protocols import Reply
from gateway.push import DONE
from gateway.routing import RoutingTable
from gateway.types import Answer, Dialect, ModelInfo, Principal
from gateway.wire import PLAIN, WIRES, Given


class HttpVisit:
    """`gateway.doors.Visit`, of one HTTP request."""

    def __init__(
        self,
        principal: Principal,
        incoming: HttpIncoming,
        *,
        scope: Scope,
        receive: Receive,
        send: Send,
        pipeline: Pipeline,
        lifecycle: Lifecycle,
    ) -> None:
        self.principal = principal
        self.headers: Mapping[bytes, bytes] = incoming.headers
        self._incoming = incoming
        self._scope = scope
        self._receive = receive
        self._send = send
        self._pipeline = pipeline
        self._lifecycle = lifecycle

    async def body(self) -> bytes:
        """See the protocol."""
        return await self._incoming.body()

    async def answer(self, dialect: Dialect, body: bytes, given: Given = PLAIN) -> None:
        """See the protocol."""
        reply = HttpReply(WIRES[dialect], self._receive, self._send)
        try:
            await self._run(dialect, body, given, reply)
        except GatewayError as error:
            error.request_id = self._scope["gateway.request_id"]
            await reply.fail(error)

    async def ask(self, dialect: Dialect, body: bytes, given: Given = PLAIN) -> Answer:
        """See the protocol."""
        reply = CollectedReply(self._receive)
        await self._run(dialect, body, given, reply)
        return reply.result()

    async def _run(self, dialect: Dialect, body: bytes, given: Given, reply: Reply) -> None:
        self._lifecycle.admit()
        call = new_call(WIRES[dialect], self._scope, self.headers, self.principal, body=body, given=given)
        await self._pipeline.run(call, reply)


class Door:
    """`gateway.doors.Calls`."""

    def __init__(
        self,
        *,
        access: Access,
        pipeline: Pipeline,
        routing: RoutingTable,
        lifecycle: Lifecycle,
        max_body: int,
    ) -> None:
        self._access = access
        self._pipeline = pipeline
        self._routing = routing
        self._lifecycle = lifecycle
        self._max_body = max_body

    async def enter(self, scope: Scope, receive: Receive, send: Send) -> HttpVisit:
        """See the protocol."""
        incoming = HttpIncoming(scope, receive, self._max_body)
        return HttpVisit(
            await self._access.caller(incoming),
            incoming,
            scope=scope,
            receive=receive,
            send=send,
            pipeline=self._pipeline,
            lifecycle=self._lifecycle,
        )

    def models(self, principal: Principal) -> Sequence[ModelInfo]:
        """See the protocol."""
        return self._routing.models(principal)

    def model(self, name: str, principal: Principal) -> ModelInfo:
        """See the protocol."""
        return self._routing.model(name, principal)


class CollectedReply:
    """Keeps an answer instead of sending it: nothing of it has left before it is whole."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._parts: list[bytes] = []
        self._answer: Answer | None = None
        self._error: GatewayError | None = None
        self.started = False

    def result(self) -> Answer:
        """Return the whole answer. Raises what has ended the call instead."""
        if self._error is not None:
            raise self._error
        if self._answer is None:
            raise GatewayError("The gateway failed to process this request.")
        return self._answer

    async def whole(self, answer: Answer) -> None:
        """Keep an answer that is not streamed."""
        self._answer = answer

    async def begin(self, answer: Answer) -> None:
        """Keep the head of a stream."""
        self._answer = answer

    def write(self, data: bytes) -> Awaitable[None]:
        """Keep a piece of a stream."""
        self._parts.append(data)
        return DONE

    async def end(self) -> None:
        """Put the pieces together."""
        if self._answer is not None:
            self._answer.body, self._answer.stream = b"".join(self._parts), None

    async def fail(self, error: GatewayError) -> None:
        """Keep the error."""
        self._error = error

    async def gone(self) -> None:
        """Wait until the client has gone, for whom all this is done."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def left(self) -> None:
        """See `gone`."""

    def keep_alive(self, seconds: float) -> None:
        """There is no stream to keep alive."""
