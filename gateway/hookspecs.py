"""Every hook, on one screen.

All hooks are synchronous and fire once, while the gateway is being built, after all plugins were constructed and
before any was started. They return objects; the request path uses those objects and never comes back here.
Plugins are asked in the order of `plugins.toml`. Return a list (or a tuple); an empty one means "none".
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import click
    from limits.aio.storage import Storage
    from starlette.middleware import Middleware
    from starlette.routing import BaseRoute

    from gateway.billing import Adjusts, OnSettled
    from gateway.doors import Compares
    from gateway.protocols import (
        AdminEndpoint,
        AroundAttempt,
        AroundCall,
        Authenticator,
        Billing,
        OnFinished,
        Provider,
        SignIn,
        Sink,
        Transport,
    )

hookspec = pluggy.HookspecMarker("gateway")


class Hooks:
    """The hooks a plugin may implement. `since` is the gateway version that first had it."""

    @hookspec
    def register_providers(self) -> Sequence[Provider]:
        """Providers that calls can be sent to. Two with one name are an error. Since 0.1."""
        return ()

    @hookspec
    def register_authenticators(self) -> Sequence[Authenticator]:
        """Authenticators, asked in order; the first that recognises the credential decides. Since 0.1."""
        return ()

    @hookspec
    def register_sign_ins(self) -> Sequence[SignIn]:
        """Ways for people to sign in, shown in order. Two with one name are an error. Since 0.1."""
        return ()

    @hookspec
    def register_interceptors(self) -> Sequence[AroundCall | AroundAttempt | OnFinished]:
        """Objects around the call, around each attempt, or told of its end; the first is outermost. Since 0.1."""
        return ()

    @hookspec
    def register_asgi_middleware(self) -> Sequence[Middleware]:
        """Pure ASGI middleware around every route; the first is outermost. Prefer interceptors. Since 0.1."""
        return ()

    @hookspec
    def register_billing(self) -> Sequence[Billing | OnSettled]:
        """Billing that adds rows to the transactions which open and settle a call, or settle it. Since 0.1."""
        return ()

    @hookspec
    def register_adjusters(self) -> Sequence[Adjusts]:
        """Books of what calls were charged, which follow when calls are priced again. Since 0.1."""
        return ()

    @hookspec
    def register_comparisons(self) -> Sequence[Compares]:
        """Comparisons of what was billed with the ledger, for `gateway reconcile --billed`. Since 0.1."""
        return ()

    @hookspec
    def register_sinks(self) -> Sequence[Sink]:
        """Sinks fed from the outbox, at least once. Two with one name are an error. Since 0.1."""
        return ()

    @hookspec
    def register_counters(self) -> Sequence[Storage]:
        """Storage for counting that workers share; at most one plugin may give one. Since 0.1."""
        return ()

    @hookspec
    def register_routes(self) -> Sequence[BaseRoute]:
        """Routes of the plugin's own. A path that is already taken is an error. Since 0.1."""
        return ()

    @hookspec
    def register_transports(self) -> Sequence[Transport]:
        """Transports that run beside HTTP, from start-up to shutdown. Two with one name are an error. Since 0.1."""
        return ()

    @hookspec
    def register_admin_pages(self) -> Sequence[BaseRoute]:
        """Pages mounted under `/admin`. A path that is already taken is an error. Since 0.1."""
        return ()

    @hookspec
    def register_admin_endpoints(self) -> Sequence[AdminEndpoint]:
        """Operations of the admin API: `gateway.admin.endpoint.Endpoint`s. A path that is taken is an error. Since 0.1."""
        return ()

    @hookspec
    def register_commands(self) -> Sequence[click.Command]:
        """Commands of `gateway`, when this config is in use. A name already taken is an error. Since 0.1."""
        return ()

    @hookspec
    def register_migrations(self) -> Sequence[Path]:
        """Folders of alembic revisions; each begins a branch of its own, labelled with the plugin. Since 0.1."""
        return ()
