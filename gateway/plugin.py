"""What a plugin is: a class with an id, a config and hook implementations."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

import pluggy
from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable
    from pathlib import Path

    from limits.aio.storage import Storage

    from gateway.doors import Calls, Charges, CreditBook, Prices, SubscriptionBook
    from gateway.identity.attempts import Attempts
    from gateway.identity.people import Rules
    from gateway.protocols import SignIn
    from gateway.store import Database, Unit
    from gateway.types import Call, Target
    from gateway.upstream import Client

API_VERSION = 1
"""The version of the plugin interface that this gateway speaks."""

hookimpl = pluggy.HookimplMarker("gateway")
"""Marks a method of a `Plugin` as the implementation of a hook."""


class PluginConfig(BaseModel):
    """The settings of a plugin. Unknown keys are errors, every field has a description, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Context:
    """What the gateway lends to its plugins. Connections open on first use, so holding it costs nothing."""

    def __init__(
        self,
        *,
        client: Client,
        database: Database,
        rules: Rules | None = None,
        public_client: Client | None = None,
        attempts: Attempts | None = None,
    ) -> None:
        # Imported here, for they need the database's libraries, which whoever only reads a config does not wait for.
        from gateway.identity.attempts import Attempts  # noqa: PLC0415
        from gateway.identity.people import Rules  # noqa: PLC0415
        from gateway.identity.sessions import Sessions  # noqa: PLC0415
        from gateway.identity.tenants import Tenants  # noqa: PLC0415
        from gateway.store.changes import Changes  # noqa: PLC0415
        from gateway.upstream import Client, Guard  # noqa: PLC0415

        self.client = client
        """The HTTP client that providers send through."""
        self.public_client = public_client or Client(guard=Guard(public_only=True))
        """The HTTP client for URLs that users can set, or another's answer: it reaches public addresses only, and what
        `[gateway.egress] allow` admits. What it refuses is an `AddressRefused`."""
        self.database = database
        """The gateway's database."""
        self.write: Callable[[Unit], Future[None]]
        """Writes rows together with those of calls, in one commit for all that are waiting: the future is done when they are
        durable, and fails with their refusal or `Unavailable`, which the call raises too; set before `startup`."""
        self.changes = Changes(database)
        """Tells who holds rows in memory when they have changed."""
        self.sessions = Sessions(database, self.changes, rules or Rules())
        """Signs people in."""
        self.attempts = attempts or Attempts(0)
        """Counts wrong credentials: ask it before a costly look at one that was never seen."""
        self.tenants = Tenants(database)
        """What tenants may do."""
        self.counters: Storage | None = None
        """Shared storage for limits, when a plugin registered one; set before `startup`."""
        self.workers = 1
        """How many processes serve this config."""
        self.worker = ""
        """The id of this process among them: its row in `workers` stays while it lives; set before `startup`."""
        self.shared_folder: Path | None = None
        """With several workers, a folder for files that are theirs alone; it goes away when the last one ends."""
        self.sign_ins: Sequence[SignIn] = ()
        """The ways for people to sign in with a browser, for the pages that offer them; set before `register_routes`."""
        self.targets: Callable[[Call], Sequence[Target]]
        """What a call may be sent to, from memory; raises what it will be refused with. Set before `register_billing`."""
        self.prices: Prices
        """What calls are charged; set before `register_billing`."""
        self.credits: CreditBook | None = None
        """Prepaid credits, where a plugin keeps them: it sets this as it is constructed. Ask for it from `startup` on."""
        self.charges: Charges
        """What calls were charged, by rate; set before `register_billing`, and for commands."""
        self.migrations: Callable[[], Sequence[Path]]
        """The folders of revisions of all plugins, for commands that read what others keep; set before `register_commands`."""
        self.subscriptions: SubscriptionBook | None = None
        """Subscriptions to plans, where a plugin keeps them: it sets this as it is constructed. Ask for it from `startup` on."""
        self.calls: Calls
        """Makes calls and knows models, for routes of a plugin's own; set before `register_routes`."""


ConfigT = TypeVar("ConfigT", bound=PluginConfig)


class Plugin(Generic[ConfigT]):
    """Base class of all plugins.

    Life: load → validate → construct → register → startup → … → shutdown. Constructing has no side effects:
    open nothing and start nothing before `startup`.
    """

    id: ClassVar[str]
    """`<kind>.<name>`, the same as the entry point."""
    api: ClassVar[int] = API_VERSION
    Config: ClassVar[type[PluginConfig]] = PluginConfig

    def __init__(self, name: str, config: ConfigT, context: Context) -> None:
        self.name = name
        """The instance name: the part after the dot in `[provider.NAME]`."""
        self.config = config
        self.context = context
        self.log = logging.getLogger(f"gateway.plugin.{self.id}")

    async def startup(self) -> None:
        """Open what the plugin needs. Raising stops the gateway from starting."""

    async def check(self) -> None:
        """Prove that the plugin can do its work; called by `gateway check --live`. Raise when it cannot."""

    async def shutdown(self) -> None:
        """Close what `startup` opened. Called in reverse order, also when a later plugin failed to start."""
