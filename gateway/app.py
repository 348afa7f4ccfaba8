"""The gateway: a Starlette application built from a config, which any ASGI server runs and any ASGI program mounts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.admin.mount import AdminApi
from gateway.admin.request import Services
from gateway.api import errors
from gateway.api.access import Access
from gateway.api.door import Door
from gateway.api.faults import Faults
from gateway.api.file_routes import FilesAndBatches, own_only
from gateway.api.lifecycle import Lifecycle
from gateway.api.openapi import OpenApiEndpoint
from gateway.api.proxies import TrustedProxies
from gateway.api.responses import Keeper, response_endpoints
from gateway.api.routes import CallRoutes, call_endpoints, core_routes
from gateway.api.sending import Numbered
from gateway.api.session_rights import SessionRights
from gateway.api.session_routes import session_routes
from gateway.api.videos import video_endpoints
from gateway.config import Config
from gateway.effective import summary
from gateway.errors import GatewayError, Unavailable
from gateway.identity.attempts import Attempts
from gateway.identity.people import Rules
from gateway.identity.retention import Retention
from gateway.ids import Ids
from gateway.inflight import InFlight
from gateway.ledger import Estimator, Ledger, PriceBook, RatedCalls
from gateway.parts import client_of, dropped_of, pricing_of
from gateway.pipeline import Pipeline
from gateway.plugin import Context, Plugin
from gateway.protocols import Transport, UsesVault
from gateway.registry import Registry
from gateway.routing import LiveRoutes, RoutingTable
from gateway.store.config_log import note_config
from gateway.vault import Vault
from gateway.vault.live import LiveCredentials

log = logging.getLogger("gateway")

if TYPE_CHECKING:
    from httpx2 import AsyncClient


class Gateway(Starlette):
    """One gateway. Building it has no side effects; starting opens the database and starts the plugins.

    An ASGI server starts and stops it through lifespan events. Mounted in another application it gets none: it then
    starts with its first request, or exactly when the host says so: `Starlette(lifespan=gateway.lifespan, …)`.
    """

    def __init__(  # noqa: PLR0915 - all parts come together here
        self,
        config: Config,
        *,
        plugins: Sequence[type[Plugin[Any]]] = (),
        workers: int = 1,
        shared_folder: Path | None = None,
    ) -> None:
        settings = config.settings
        self.config = config
        self._database = config.database()
        self._client = client_of(config, public_only=False)
        self._context = Context(
            client=self._client,
            database=self._database,
            rules=Rules(**settings.identity.model_dump()),
            public_client=client_of(config, public_only=True),
            attempts=Attempts(settings.failures_per_minute),
        )
        self._proxies = (
            TrustedProxies(settings.trusted_proxies, settings.forwarded_header)
            if settings.trusted_proxies
            else None
        )
        self._context.workers = workers
        self._context.shared_folder = shared_folder
        self.registry = Registry.build(config, self._context, plugins)
        hooks = self.registry.facade
        self._context.counters = hooks.counters()

        providers = {provider.name: provider for provider in hooks.providers()}
        self._credentials = LiveCredentials(
            self._database,
            self._context.changes,
            Vault(settings.vault.keys(), command=settings.vault.master_key_command),
            [provider for provider in providers.values() if isinstance(provider, UsesVault)],
        )
        book = PriceBook.load(settings.prices.book)
        catalogue = book.catalogue
        models = {p.name: tuple(p.models or catalogue.models(p.catalogue)) for p in providers.values()}
        pricing = pricing_of(config, book)
        self._selling = pricing.selling
        routing = RoutingTable(providers, {}, models, catalogue, self._selling.shown)
        self._routes = LiveRoutes(routing, config.models)
        catalogues = {p.name: p.catalogue for p in providers.values()}
        self._context.targets = routing.plan
        self._context.prices = Estimator(
            pricing, routing.plan, catalogues, answer_tokens=settings.prices.answer_tokens
        )
        self._context.charges = RatedCalls(lambda: pricing, lambda: catalogues)
        sinks = hooks.sinks()
        self._ledger = Ledger(
            self._database,
            durability=settings.durability,
            billing=hooks.billing(),
            sinks=sinks,
        )
        self._context.write = self._ledger.write
        self._inflight = InFlight(
            on_disconnect=settings.on_disconnect,
            total_seconds=settings.timeouts.total,
            session_seconds=settings.timeouts.session,
            keep_alive_seconds=settings.keepalive_seconds,
        )
        pipeline = Pipeline(
            ledger=self._ledger,
            routing=routing,
            pricing=pricing,
            providers=providers,
            interceptors=[*hooks.interceptors(), *own_only(settings.files, self._database)],
            inflight=self._inflight,
            may_drop=dropped_of(settings.drop_params),
        )
        self._retention = Retention(self._database)
        self._session_rights = SessionRights(self._database, self._context.tenants, self._inflight)
        self._lifecycle = Lifecycle()
        self._new_id = Ids().__call__
        self._starting = asyncio.Lock()
        self._transports = hooks.transports()
        self._transport_tasks: list[asyncio.Task[None]] = []
        authenticators = hooks.authenticators()
        sessions = self._context.sessions
        self._context.sign_ins = hooks.sign_ins()
        access = Access(
            (*authenticators, sessions) if authenticators or self._context.sign_ins else (),
            self._context.tenants,
            self._context.attempts,
        )
        self._context.calls = Door(
            access=access,
            pipeline=pipeline,
            routing=routing,
            lifecycle=self._lifecycle,
            max_body=settings.max_body_bytes,
        )
        calls = call_endpoints(
            providers=providers,
            access=access,
            pipeline=pipeline,
            lifecycle=self._lifecycle,
            max_body=settings.max_body_bytes,
        )
        self._responses = Keeper(self._database, self._ledger, days=settings.responses_days)
        responses = response_endpoints(
            access=access,
            pipeline=pipeline,
            lifecycle=self._lifecycle,
            inflight=self._inflight,
            keeper=self._responses,
            max_body=settings.max_body_bytes,
            keep_alive=settings.keepalive_seconds,
        )
        self._background = responses.runs
        videos = video_endpoints(
            access=access,
            pipeline=pipeline,
            lifecycle=self._lifecycle,
            inflight=self._inflight,
            ledger=self._ledger,
            database=self._database,
            providers=providers,
            max_body=settings.max_body_bytes,
        )
        self._calls = {**calls, responses.path: responses.create, videos.path: videos.create}
        core = core_routes(
            calls=self._calls,
            access=access,
            lifecycle=self._lifecycle,
            routing=routing,
            ledger=self._ledger,
        )
        self._files = FilesAndBatches(
            settings,
            access=access,
            database=self._database,
            ledger=self._ledger,
            lifecycle=self._lifecycle,
            pipeline=pipeline,
            pricing=pricing,
            providers=providers,
            routing=routing,
            tenants=self._context.tenants,
        )
        core = [*self._files.google, *core, *responses.routes, *videos.routes, *self._files.routes]
        sockets = session_routes(
            access=access, pipeline=pipeline, lifecycle=self._lifecycle, max_body=settings.max_body_bytes
        )
        core = [*core, OpenApiEndpoint([*core, *sockets]).route]
        services = Services(
            config=config,
            context=self._context,
            registry=self.registry,
            routing=routing,
            routes=self._routes,
            prices=book,
            pricing=pricing,
            vault=self._credentials.vault,
            providers=providers,
            books=hooks.adjusters(),
            sinks=[sink.name for sink in sinks],
        )
        # With the sessions there is always an authenticator: nobody administers a gateway that knows no callers.
        admin = AdminApi(
            Access((*authenticators, sessions), self._context.tenants, self._context.attempts),
            services,
            hooks.admin_endpoints(),
        )
        core = [*core, *admin.routes]
        pages = hooks.admin_pages()
        routes = [
            *core,
            *sockets,
            *hooks.routes(taken=[route.path for route in (*core, *sockets)]),
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
        app: ASGIApp = CallRoutes(self._calls, super().build_middleware_stack()).serve
        self.user_middleware = around
        for cls, args, kwargs in reversed(around):
            app = cls(app, *args, **kwargs)
        return Faults(app) if around else app

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
        """Serve one connection; start first when no lifespan event has done so."""
        if scope["type"] == "lifespan":
            await super().__call__(scope, receive, send)
        elif self._lifecycle.serves_here() or await self._started_late():
            await self.answer(scope, receive, send)
        else:
            unavailable = errors.response(Unavailable("The gateway could not start. Its log says why."))
            await unavailable(scope, receive, Numbered(send, scope, "req_" + self._new_id()))

    def answer(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request or WebSocket of a gateway that was started; without a frame of its own while that runs."""
        scope["app"] = self
        scope["gateway.request_id"] = request_id = "req_" + self._new_id()
        if self._proxies is not None:
            self._proxies.place(scope)
        if self.middleware_stack is None:
            self.middleware_stack = self.build_middleware_stack()
        return self.middleware_stack(scope, receive, Numbered(send, scope, request_id))

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
            if self._lifecycle.started_here():
                return
            self._client.open()
            self._context.public_client.open()
            try:
                await self._ledger.start(migrations=self.registry.facade.migrations())
                self._context.worker = self._ledger.worker
                await note_config(self._database, summary(self.config, self.registry))
                await self._context.tenants.startup(self._context.changes)
                await self._selling.startup(self._database, self._context.changes)
                await self._routes.startup(self._database, self._context.changes)
                await self._context.sessions.startup()
                await self._session_rights.startup(self._context.changes)
                await self._credentials.startup()
                await self.registry.start()
            except BaseException:
                await self._close()
                raise
            self._responses.start()
            self._retention.start()
            self._files.start()
            loop = asyncio.get_running_loop()
            self._transport_tasks = [loop.create_task(self._serve(t)) for t in self._transports]
            self._lifecycle.start()

    async def shutdown(self) -> None:
        """Let running calls finish, flush the ledger, stop the plugins, close every connection."""
        if not self._lifecycle.started:
            return
        self.drain()
        for task in self._transport_tasks:
            task.cancel()
        await asyncio.gather(*self._transport_tasks, return_exceptions=True)  # each is cancelled
        await self.finish(self.config.settings.drain_seconds)
        await self._background.stop()
        await self._files.stop()
        await self._responses.stop()
        await self._retention.stop()
        await self.registry.stop()
        await self._close()
        self._lifecycle.started = False
        self._lifecycle.draining = False

    def drain(self) -> None:
        """Be not ready from now on: running calls finish, new ones are refused with 503."""
        self._lifecycle.draining = True
        self._files.drain()

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
        await self._session_rights.stop()
        await self._context.sessions.shutdown()
        await self._context.changes.stop()
        await self._credentials.stop()
        await self._ledger.stop()
        await self._client.close()
        await self._context.public_client.close()
        await self._database.close()
