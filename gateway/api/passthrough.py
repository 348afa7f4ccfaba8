"""`/provider/NAME/…`: a provider's own paths, with the gateway's credential instead of the client's.

An endpoint of the provider's that makes calls is served like the gateway's own, but by that provider only. Other paths
are refused unless the operator has declared them, for nobody could tell what they cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote_plus

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from starlette.types import Receive, Scope, Send

from gateway.api.access import Access, Admitted
from gateway.api.call import CallEndpoint
from gateway.api.gemini_array import ArraySend
from gateway.api.incoming import HttpIncoming
from gateway.api.own_path import OwnPathEndpoint
from gateway.api.reply import HttpReply
from gateway.errors import GatewayError, InvalidRequest, PermissionDenied
from gateway.protocols import Forwards, Incoming, Provider
from gateway.provider.paths import decoded
from gateway.types import Dialect, Principal
from gateway.wire import PASSTHROUGH, WIRES, Given, Wire, multipart

PREFIX: Final = "/provider/"
_KEY_HEADERS: Final = frozenset({b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key"})
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class _Way(Struct, frozen=True):
    """Where a request goes."""

    provider: str
    path: str
    """Below the provider's base URL, encoded."""
    given: Given
    """With the declared path for a model, where it makes no call."""
    dialect: Dialect = PASSTHROUGH
    model: str | None = None
    """That the path names."""


class PassthroughEndpoint:
    """All paths of all providers."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        calls: Mapping[Dialect, CallEndpoint],
        own: OwnPathEndpoint,
        *,
        access: Access,
        max_body: int,
    ) -> None:
        self._providers = providers
        self._calls = calls
        self._own = own
        self._access = access
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Find out where it is to go, and hand it over."""
        name, _, rest = _raw_path(scope).removeprefix(PREFIX).partition("/")
        provider = self._providers.get(name)
        self._take_credential(scope, provider)
        try:
            way = self._way(scope, name, provider, f"/{rest}")
        except GatewayError as refusal:
            await self._refuse(scope, receive, send, refusal, _errors_of(provider))
            return
        if way.dialect == PASSTHROUGH:
            await self._own.serve_path(
                scope, receive, send, way.given, path=way.path, model=way.model, errors=_errors_of(provider)
            )
            return
        endpoint = self._calls[way.dialect]
        if way.dialect.startswith("gemini."):
            if way.given.stream and b"alt=sse" not in scope.get("query_string", b"").split(b"&"):
                send = ArraySend(send)
        elif way.given.model:
            scope["gateway.admitted"] = _Naming(way.given.model, scope.get("gateway.admitted"))
        await endpoint(scope, receive, send, way.given)

    def _way(self, scope: Scope, name: str, provider: Provider | None, path: str) -> _Way:
        if not isinstance(provider, Forwards) or provider.paths is None:
            raise InvalidRequest(
                f"There is no provider '{name}' whose own paths could be used.",
                status=404,
                code="unknown_provider",
            )
        method: str = scope["method"]
        if method not in _METHODS:
            raise InvalidRequest(
                f"{method} is not handed on.",
                status=405,
                code="method_not_allowed",
                headers=[(b"allow", ", ".join(sorted(_METHODS)).encode())],
            )
        if any(header == b"upgrade" for header, _ in scope["headers"]):
            raise InvalidRequest(
                "Connections to a provider's own paths cannot be upgraded.", code="upgrade_refused"
            )
        below = provider.paths.below(path)
        plain = decoded(below)
        found = provider.dialect_of(method, plain)
        if found is not None:
            dialect, given = found
            return _Way(name, below, replace(given, provider=name), dialect)
        declared = provider.paths.declared(method, plain)
        if declared is None:
            raise PermissionDenied(
                f"{method} {plain} of the provider '{name}' is not metered, so it is refused unless it is declared: "
                f'passthrough = ["{method} {plain}"] in [provider.{name}].{self._hint(method, path)}',
                code="unmetered_route",
            )
        return _Way(name, below, Given(model=declared, provider=name), model=provider.names_model(plain))

    def _hint(self, method: str, path: str) -> str:
        """Tell whose call a path is, where a client of one provider has come to another one."""
        makers = [
            name
            for name, one in self._providers.items()
            if isinstance(one, Forwards)
            and one.paths is not None
            and one.dialect_of(method, decoded(one.paths.below(path))) is not None
        ]
        return f" It is a call at {', '.join(PREFIX + name for name in makers)}." if makers else ""

    def _take_credential(self, scope: Scope, provider: Provider | None) -> None:
        """Keep a client's key in the query from the provider, and from logs: it moves to a header."""
        hidden = provider.query_credentials if isinstance(provider, Forwards) else frozenset[str]()
        query: bytes = scope.get("query_string", b"")
        parts = query.split(b"&")
        kept = [
            part for part in parts if unquote_plus(part.partition(b"=")[0].decode("latin-1")) not in hidden
        ]
        if len(kept) == len(parts):
            return
        scope["query_string"] = b"&".join(kept)
        if not any(name in _KEY_HEADERS for name, _ in scope["headers"]):
            taken = next(part for part in parts if part not in kept)
            key = unquote_plus(taken.partition(b"=")[2].decode("latin-1"))
            scope["headers"] = [*scope["headers"], (b"x-api-key", key.encode("latin-1", "replace"))]

    async def _refuse(
        self, scope: Scope, receive: Receive, send: Send, refusal: GatewayError, errors: Wire
    ) -> None:
        """Refuse; but who may not call is not told what there is."""
        try:
            await self._access.caller(HttpIncoming(scope, receive, self._max_body))
        except GatewayError as error:
            refusal = error
        refusal.request_id = scope["gateway.request_id"]
        await HttpReply(errors, receive, send).fail(refusal)


class _Naming:
    """Puts the model of the path into the body, where its dialect has it: once the caller, who may have signed the body, is known."""

    def __init__(self, model: str, admitted: Admitted | None) -> None:
        self._model = model
        self._admitted = admitted

    async def __call__(self, incoming: Incoming, principal: Principal) -> None:
        """Tell who else is to be told, and then change the body."""
        if self._admitted is not None:
            await self._admitted(incoming, principal)
        assert isinstance(incoming, HttpIncoming), "calls come by HTTP here"
        kind = incoming.headers.get(b"content-type", b"").decode("latin-1")
        incoming.replace_body(self._named(await incoming.body(), kind))

    def _named(self, body: bytes, kind: str) -> bytes:
        if multipart.is_form(kind):
            return multipart.parse(body, kind).with_text("model", self._model)
        try:
            fields = _decode_fields(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return body  # its dialect says what is wrong with it
        fields["model"] = msgspec.Raw(msgspec.json.encode(self._model))
        return msgspec.json.encode(fields)


def _raw_path(scope: Scope) -> str:
    """Return the path below the gateway's mount point, as it was sent."""
    root: str = scope.get("root_path", "")
    raw: bytes | None = scope.get("raw_path")
    if raw is None:
        return quote(scope["path"].removeprefix(root), safe="/%:@!$&'()*+,;=~")
    path = raw.partition(b"?")[0].decode("latin-1")
    return path.removeprefix(quote(root))


def _errors_of(provider: Provider | None) -> Wire:
    """Find who words errors as the provider's clients expect them."""
    chat = provider.dialects.get("chat", "") if provider is not None else ""
    return WIRES.get(chat, WIRES[PASSTHROUGH])
