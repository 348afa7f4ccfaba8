"""Files and batches, put together from the settings: the gateway's own, or those of a provider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.routing import Route

from gateway.api.access import Access
from gateway.api.batches import BatchEndpoints, batch_dialects
from gateway.api.files import FORM_BYTES, FileEndpoints
from gateway.api.google import Asking, GoogleKeeper, GoogleNames, Uploads, google_routes, unserved_routes
from gateway.api.kept_names import KeptNames, OwnOnly
from gateway.api.lifecycle import Lifecycle
from gateway.api.native import NativeEndpoints, NativeKeeper, OpenAINames, Remote, Watcher
from gateway.api.routes import CALLS
from gateway.batches import Means, Runner
from gateway.identity.tenants import Tenants
from gateway.ids import Ids
from gateway.ledger import Ledger, Pricing
from gateway.pipeline import Pipeline
from gateway.protocols import Provider
from gateway.routing import RoutingTable
from gateway.settings import Files, Settings
from gateway.store import Database


def own_only(files: Files, database: Database) -> Sequence[OwnOnly]:
    """Return what keeps tenants from naming each other's files, where a provider keeps them."""
    names: dict[str, KeptNames] = {}
    if files.google is not None:
        names[files.google] = GoogleNames(database, files.google)
    if files.provider is not None:
        names[files.provider] = OpenAINames(database, files.provider)
    return [OwnOnly(names)] if names else []


class FilesAndBatches:
    """The routes, and what runs beside them. Raises `ConfigError` for a provider that has no files."""

    def __init__(  # noqa: PLR0913 - the parts of a gateway that they need
        self,
        settings: Settings,
        *,
        access: Access,
        database: Database,
        ledger: Ledger,
        lifecycle: Lifecycle,
        pipeline: Pipeline,
        pricing: Pricing,
        providers: Mapping[str, Provider],
        routing: RoutingTable,
        tenants: Tenants,
    ) -> None:
        new_id = Ids()
        dialects = batch_dialects({**CALLS, "/v1/responses": "openai.responses"})
        max_body = settings.max_body_bytes
        max_bytes = settings.files.max_bytes or max_body
        self.routes: Sequence[Route]
        """OpenAI's."""
        # It runs in any case: batches may be left from before a provider was named.
        self._runner = Runner(
            Means(
                database=database,
                ledger=ledger,
                pipeline=pipeline,
                endpoints=dialects,
                new_id=new_id,
                at_once=settings.batches.concurrency,
                max_body=max_body,
                tenants=tenants,
            )
        )
        self._watchers: list[Watcher] = []
        self.google: Sequence[Route] = unserved_routes(access)
        if settings.files.google is not None:
            keeper = GoogleKeeper(
                Remote(
                    providers.get(settings.files.google),
                    settings.files.google,
                    setting="google",
                    new_id=new_id,
                ),
                database=database,
                ledger=ledger,
                pricing=pricing,
                names=routing.name_at,
            )
            self._watchers.append(Watcher(keeper))
            uploads = Uploads(
                keeper,
                access=access,
                lifecycle=lifecycle,
                tenants=tenants,
                max_bytes=max_bytes,
                max_tenant_bytes=settings.files.max_tenant_bytes,
            )
            asking = Asking(keeper, access=access, lifecycle=lifecycle, max_body=max_body)
            self.google = google_routes(asking, uploads, pipeline, max_line=max_body)
        name = settings.files.provider
        if name is not None:
            remote = Remote(providers.get(name), name, setting="provider", new_id=new_id)
            keeper = NativeKeeper(
                remote,
                database=database,
                ledger=ledger,
                pricing=pricing,
                names=routing.name_at,
                max_line=max_body,
            )
            self._watchers.append(Watcher(keeper))
            native = NativeEndpoints(
                keeper,
                access=access,
                lifecycle=lifecycle,
                max_bytes=max_bytes + FORM_BYTES,
                max_body=max_body,
            )
            self.routes = native.routes()
            return
        files = FileEndpoints(
            access=access,
            database=database,
            lifecycle=lifecycle,
            max_bytes=max_bytes,
            max_tenant_bytes=settings.files.max_tenant_bytes,
        )
        batches = BatchEndpoints(
            access=access,
            database=database,
            ledger=ledger,
            lifecycle=lifecycle,
            runner=self._runner,
            endpoints=dialects,
            max_body=max_body,
        )
        self.routes = (*files.routes(), *batches.routes())

    def start(self) -> None:
        """Begin to run batches, or to ask after them. The ledger has been started before."""
        self._runner.start()
        for watcher in self._watchers:
            watcher.start()

    def drain(self) -> None:
        """Begin no more calls."""
        self._runner.drain()

    async def stop(self) -> None:
        """End everything; what has not ended goes on at the next start."""
        await self._runner.stop()
        for watcher in self._watchers:
            await watcher.stop()
