"""All budgets in memory, found by whom and what they are of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import and_, null, select, tuple_

from gateway.store.identity_tables import memberships, team_members
from gateway.store.key_rows import Budget as KeyBudget
from gateway.store.structs import many
from gateway.store.tables import api_keys
from gateway.types import NANO
from gateway_budgets.amount import LARGEST
from gateway_budgets.period import Period, Span, period_at, zone_of
from gateway_budgets.rows import Budget, Kind, Scope, all_budgets
from gateway_budgets.tables import budgets

if TYPE_CHECKING:
    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store import Database
    from gateway.types import Principal

CREDIT: Final = "CREDIT"
"""As a key's budget calls credits themselves."""

_NOWHEN: Final = Period(0, 0)
_KEYS: Final = select(*(api_keys.c[name] for name in ("id", "tenant", "budget", "created_at", "revision")))
_MEMBERS: Final = select(team_members.c.tenant, team_members.c.user, team_members.c.team).join(
    memberships,
    and_(memberships.c.tenant == team_members.c.tenant, memberships.c.user == team_members.c.user),
)


class Entry(Struct, kw_only=True, eq=False):
    """A budget, and the period that it was last asked about."""

    id: str
    tenant: str
    scope: Scope
    subject: str
    span: Span
    time_zone: str = "UTC"
    amount: int | None
    """10⁻⁹ credit; None where it is in a currency that is not counted."""
    currency: str = CREDIT
    kind: Kind = "hard"
    since: float
    """When it was made, Unix seconds: calls that ended before never counted in it."""
    _period: Period = _NOWHEN

    def is_of(self, models: Collection[str]) -> bool:
        """Whether a call under these names counts in it, as far as its model goes."""
        return self.scope != "model" or any(_admits(self.subject, model) for model in models)

    def period(self, at: float) -> Period:
        """The period that a moment (Unix seconds) lies in."""
        if not self._period.start <= at < self._period.end:
            self._period = period_at(self.span, zone_of(self.time_zone), at)
        return self._period


def entry_of(row: Budget) -> Entry:
    """A budget that was set."""
    return Entry(
        id=row.id,
        tenant=row.tenant,
        scope=row.scope,
        subject=row.subject,
        span=row.period,
        time_zone=row.time_zone,
        amount=row.amount,
        kind=row.kind,
        since=row.created_at,
    )


class Book:
    """The budgets that hold for a call. `currencies` says what one unit of each is worth in credits."""

    def __init__(self, database: Database, currencies: Mapping[str, Decimal]) -> None:
        self._database = database
        self._currencies = {CREDIT: Decimal(1), "USD": Decimal(1), **currencies}
        self._by_subject: dict[tuple[Scope, str, str], list[Entry]] = {}
        self._of_models: dict[str, list[Entry]] = {}
        """Those of models, whose subjects are patterns."""
        self._of_keys: dict[str, Entry] = {}
        """What the keys themselves say they may spend, by their ids."""
        self._teams: dict[tuple[str, str], list[str]] = {}
        self._keys_seen = 0

    def counts_models(self, tenant: str) -> bool:
        """Whether any budget of the tenant is of a model."""
        return tenant in self._of_models

    def of(self, principal: Principal, models: Collection[str]) -> list[Entry]:
        """The budgets for a call, in an order in which concurrent ones never wait for each other.

        `models` are the names of its model: as the client wrote it, and as `provider/model`.
        """
        tenant, find = principal.tenant, self._by_subject
        found = [*find.get(("tenant", tenant, ""), ())]
        if principal.key is not None:
            found += find.get(("key", tenant, principal.key), ())
            own = self._of_keys.get(principal.key)
            if own is not None and own.tenant == tenant:
                found.append(own)
        if principal.user is not None:
            found += find.get(("user", tenant, principal.user), ())
            for team in self._teams.get((tenant, principal.user), ()):
                found += find.get(("team", tenant, team), ())
        found += [entry for entry in self._of_models.get(tenant, ()) if entry.is_of(models)]
        return sorted(found, key=_id) if len(found) > 1 else found

    def __iter__(self) -> Iterator[Entry]:
        """All budgets."""
        for entries in (*self._by_subject.values(), *self._of_models.values()):
            yield from entries
        yield from self._of_keys.values()

    def of_keys(self, tenant: str) -> list[Entry]:
        """What the tenant's keys themselves say."""
        return sorted((entry for entry in self._of_keys.values() if entry.tenant == tenant), key=_id)

    async def refresh(self, _revision: int = 0) -> None:
        """Read the budgets that were set."""
        self._take(await all_budgets(self._database))

    async def read_for(self, connection: AsyncConnection, calls: Sequence[Row[Any]]) -> None:
        """Read what holds for some rows of `model_calls`, and nothing else, within a transaction."""
        mine = budgets.c.tenant.in_({call.tenant for call in calls})
        self._take(await many(connection, select(budgets).where(mine), Budget))
        own = _KEYS.where(api_keys.c.id.in_({call.key for call in calls} - {None}))
        self._take_keys((await connection.execute(own)).all())
        users = {(call.tenant, call.user) for call in calls if call.user is not None}
        members = tuple_(team_members.c.tenant, team_members.c.user).in_(users)
        self._take_teams((await connection.execute(_MEMBERS.where(members))).all())

    def _take(self, rows: Iterable[Budget]) -> None:
        by_subject: defaultdict[tuple[Scope, str, str], list[Entry]] = defaultdict(list)
        of_models: defaultdict[str, list[Entry]] = defaultdict(list)
        for row in rows:
            entry = entry_of(row)
            if row.scope == "model":
                of_models[row.tenant].append(entry)
            else:
                by_subject[row.scope, row.tenant, row.subject].append(entry)
        self._by_subject, self._of_models = dict(by_subject), dict(of_models)

    async def refresh_keys(self, revision: int) -> None:
        """Read the budgets of the keys that changed."""
        if revision < self._keys_seen:  # another table than before: a restored backup, a new file
            self._keys_seen = 0
            self._of_keys.clear()
        query = _KEYS.where(api_keys.c.revision > self._keys_seen)
        if not self._keys_seen:
            query = query.where(api_keys.c.budget.is_not(null()))
        async with self._database.connect() as connection:
            rows = (await connection.execute(query)).all()
        self._take_keys(rows)
        self._keys_seen = max([revision, *(row.revision for row in rows)])

    async def refresh_teams(self, _revision: int = 0) -> None:
        """Read who is in which team."""
        async with self._database.connect() as connection:
            self._take_teams((await connection.execute(_MEMBERS)).all())

    def _take_keys(self, rows: Iterable[Any]) -> None:
        for row in rows:
            if row.budget is None:
                self._of_keys.pop(row.id, None)
            else:
                self._of_keys[row.id] = self._own(row)

    def _take_teams(self, rows: Iterable[Any]) -> None:
        teams: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for row in rows:
            teams[row.tenant, row.user].append(row.team)
        self._teams = dict(teams)

    def _own(self, row: Any) -> Entry:
        budget = msgspec.convert(row.budget, KeyBudget)
        rate = self._currencies.get(budget.currency)
        return Entry(
            id=row.id,
            tenant=row.tenant,
            scope="key",
            subject=row.id,
            span=budget.period,
            amount=None if rate is None else min(int(budget.amount * rate * NANO), LARGEST),
            currency=budget.currency,
            since=row.created_at,
        )


def _admits(pattern: str, model: str) -> bool:
    return pattern == model or (pattern.endswith("*") and model.startswith(pattern[:-1]))


def _id(entry: Entry) -> str:
    return entry.id
