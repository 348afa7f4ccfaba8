"""The gateway: a Starlette application built from a config, which any ASGI server runs and any ASGI program mounts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api import errors
from gateway.api.access import Access
from gateway.api.lifecycle import Lifecycle
from gateway.api.routes import CallRoutes, call_endpoints, core_routes
from gateway.config import Config, proxies_from_environment
from gateway.errors import GatewayError, Unavailable
from gateway.ids import Ids
from gateway.inflight import InFlight
from gateway.ledger import Ledger, PriceBook, Pricing, flat_price
from gateway.pipeline import Pipeline
from gateway.plugin import Context, Plugin
from gateway.protocols import Transport
from gateway.registry import Registry
from gateway.routing import RoutingTable
from gateway.settings import ModelRoute
from gateway.store import Database
from gateway.types import Target
from gateway.upstream import Client, Limits, Timeouts

log = logging.getLogger("gateway")

if TYPE_CHECKING:
    from httpx2 import AsyncClient


class Gateway(Starlette):
    """One gateway. Building it has no side effects; starting opens the database and starts the plugins.

    An ASGI server starts and stops it through lifespan events. Mounted in another application it gets none: it then
    starts with its first request, or exactly when the host says so: `Starlette(lifespan=gateway.lifespan, …)`.
    """

    def __init__(
        self,
        config: Config,
        *,
        plugins: Sequence[type[Plugin[Any]]] = (),
        workers: int = 1,
        shared_folder: Path | None = None,
    ) -> None:
        settings = config.settings
        self.config = config
        self._database = Database(settings.database.reveal())
        self._client = _client(config)
        self._context = Context(client=self._client, database=self._database)
        self._context.workers = workers
        self._context.shared_folder = shared_folder
        self.registry = Registry.build(config, self._context, plugins)
        hooks = self.registry.facade
        counters = hooks.counters()
        self._context.counters = counters

        providers = {provider.name: provider for provider in hooks.providers()}
        self._ledger = Ledger(
            self._database,
            durability=settings.durability,
            billing=hooks.billing(),
            sinks=hooks.sinks(),
        )
        self._inflight = InFlight(
            on_disconnect=settings.on_disconnect,
            total_seconds=settings.timeouts.total,
            keep_alive_seconds=settings.keepalive_seconds,
        )
        aliases = {name: _targets(route) for name, route in config.models.items()}
        book = PriceBook.load(settings.prices.book)
        models = {p.name: p.models or book.models(p.catalogue) for p in providers.values()}
        routing = RoutingTable(providers, aliases, models)
        pipeline = Pipeline(
            ledger=self._ledger,
            routing=routing,
            pricing=_pricing(config, book),
            providers=providers,
            interceptors=hooks.interceptors(),
            inflight=self._inflight,
        )
        self._lifecycle = Lifecycle()
        self._new_id = Ids()
        self._starting = asyncio.Lock()
        self._transports = hooks.transports()
        self._transport_tasks: list[asyncio.Task[None]] = []
        access = Access(hooks.authenticators())
        self._calls = call_endpoints(
            access=access, pipeline=pipeline, lifecycle=self._lifecycle, max_body=settings.max_body_bytes
        )
        core = core_routes(
            calls=self._calls,
            access=access,
            lifecycle=self._lifecycle,
            routing=routing,
            ledger=self._ledger,
        )
        pages = hooks.admin_pages()
        routes = [
            *core,
            *hooks.routes(taken=[route.path for route in core]),
            *([Mount("/admin", routes=pages)] if pages else []),
        ]
        super().__init__(
            routes=routes,
            middleware=hooks.asgi_middleware(),
            exception_handlers={
                HTTPException: errors.on_http_exception,
                GatewayError: errors.on_gateway_error,
                Exception: errors.on_fault,
            },
            lifespan=Gateway.lifespan,
        )
        self.router.redirect_slashes = False

    def build_middleware_stack(self) -> ASGIApp:
        """Put the endpoints that make calls before Starlette's own stack, and the plugins' middleware around both."""
        around, self.user_middleware = self.user_middleware, []
        app: ASGIApp = CallRoutes(self._calls, super().build_middleware_stack())
        self.user_middleware = around
        for cls, args, kwargs in reversed(around):
            app = cls(app, *args, **kwargs)
        return ServerErrorMiddleware(app, handler=errors.on_fault) if around else app

    @classmethod
    def from_file(
        cls, path: str | Path, *, plugins: Sequence[type[Plugin[Any]]] = (), workers: int = 1
    ) -> Self:
        """Build from a `plugins.toml`. Raises `ConfigError` with everything that is wrong with it."""
        return cls(Config.from_file(path, extra=plugins), plugins=plugins, workers=workers)

    @classmethod
    def from_dict(cls, config: Mapping[str, Any], *, plugins: Sequence[type[Plugin[Any]]] = ()) -> Self:
        """Build from a mapping of the same shape. `plugins` may hold classes that are not installed."""
        return cls(Config.from_dict(config, extra=plugins), plugins=plugins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection: number the request, and start first when no lifespan event has done so."""
        if scope["type"] == "lifespan":
            await super().__call__(scope, receive, send)
            return
        request_id = "req_" + self._new_id()
        scope["gateway.request_id"] = request_id
        header = (b"x-request-id", request_id.encode())

        def send_numbered(message: Message) -> Any:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), header]
            return send(message)

        if not self._lifecycle.started and not await self._started_late():
            unavailable = errors.response(Unavailable("The gateway could not start. Its log says why."))
            await unavailable(scope, receive, send_numbered)
            return
        scope["app"] = self
        if self.middleware_stack is None:
            self.middleware_stack = self.build_middleware_stack()
        await self.middleware_stack(scope, receive, send_numbered)

    @asynccontextmanager
    async def lifespan(self, _app: Any = None) -> AsyncGenerator[None]:
        """Start and stop with the application that serves or mounts this gateway."""
        await self.startup()
        try:
            yield
        finally:
            await self.shutdown()

    async def _started_late(self) -> bool:
        """Start with a request; the next one tries again when that fails."""
        try:
            await self.startup()
        except Exception:
            log.exception("the gateway could not start")
            return False
        return True

    async def startup(self) -> None:
        """Open the database, migrate it where needed, start the plugins. Does nothing when already started."""
        async with self._starting:
            if self._lifecycle.started:
                return
            self._client.open()
            try:
                await self._ledger.start(migrations=self.registry.facade.migrations())
                await self.registry.start()
            except BaseException:
                await self._close()
                raise
            loop = asyncio.get_running_loop()
            self._transport_tasks = [loop.create_task(self._serve(t)) for t in self._transports]
            self._lifecycle.started = True

    async def shutdown(self) -> None:
        """Let running calls finish, flush the ledger, stop the plugins, close every connection."""
        if not self._lifecycle.started:
            return
        self.drain()
        for task in self._transport_tasks:
            task.cancel()
        await asyncio.gather(*self._transport_tasks, return_exceptions=True)  # each is cancelled
        await self.finish(self.config.settings.drain_seconds)
        await self.registry.stop()
        await self._close()
        self._lifecycle.started = False
        self._lifecycle.draining = False

    def drain(self) -> None:
        """Be not ready from now on: running calls finish, new ones are refused with 503."""
        self._lifecycle.draining = True

    async def finish(self, seconds: float) -> None:
        """Wait until no call is running; after so many seconds, stop those that still are."""
        reason = GatewayError("The gateway was shut down.", status=503, code="shutdown")
        await self._inflight.finish(seconds, reason)

    @property
    def running(self) -> int:
        """How many calls are in flight."""
        return len(self._inflight)

    @property
    def client(self) -> AsyncClient:
        """An HTTP client that calls this gateway in process; needs `asgi-gateway[testing]`."""
        from httpx2 import ASGITransport, AsyncClient  # noqa: PLC0415 - an extra, and slow to import

        transport = ASGITransport(app=self, raise_app_exceptions=False)
        return AsyncClient(transport=transport, base_url="http://gateway")

    async def _serve(self, transport: Transport) -> None:
        try:
            await transport.serve(self)
        except Exception:
            log.exception("the transport %r has failed; the gateway serves on without it", transport.name)

    async def _close(self) -> None:
        await self._ledger.stop()
        await self._client.close()
        await self._database.close()


def _targets(route: ModelRoute) -> list[Target]:
    in_order = sorted(route.targets, key=lambda target: target.tier)
    return [Target(target.provider, target.model) for target in in_order]


def _client(config: Config) -> Client:
    seconds, sizes = config.settings.timeouts, config.settings.upstream
    return Client(
        timeouts=Timeouts(
            connect=seconds.connect, first_byte=seconds.first_byte, idle=seconds.idle, total=seconds.total
        ),
        limits=Limits(
            max_connections=sizes.max_connections,
            max_idle=sizes.max_idle,
            max_body_bytes=sizes.max_answer_bytes,
        ),
        proxies=proxies_from_environment(),
    )


def _pricing(config: Config, book: PriceBook) -> Pricing:
    prices = config.settings.prices
    fallback = None
    if prices.fallback_input is not None and prices.fallback_output is not None:
        fallback = flat_price(prices.fallback_input, prices.fallback_output)
    return Pricing(book, unknown=prices.unknown, fallback=fallback)
