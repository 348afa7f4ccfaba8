"""All budgets in memory, found by whom and what they are of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import and_, null, select

from gateway.store.identity_tables import memberships, team_members
from gateway.store.key_rows import Budget as KeyBudget
from gateway.store.tables import api_keys
from gateway.types import NANO
from gateway_budgets.amount import LARGEST
from gateway_budgets.period import Period, Span, period_at, zone_of
from gateway_budgets.rows import Budget, Kind, Scope, all_budgets

if TYPE_CHECKING:
    from gateway.store import Database
    from gateway.types import Principal

CREDIT: Final = "CREDIT"
"""As a key's budget calls credits themselves."""

_NOWHEN: Final = Period(0, 0)


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
    _period: Period = _NOWHEN

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

    def of(self, principal: Principal, model: str) -> list[Entry]:
        """The budgets for a call, in an order in which concurrent ones never wait for each other."""
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
        found += [entry for entry in self._of_models.get(tenant, ()) if _admits(entry.subject, model)]
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
        by_subject: defaultdict[tuple[Scope, str, str], list[Entry]] = defaultdict(list)
        of_models: defaultdict[str, list[Entry]] = defaultdict(list)
        for row in await all_budgets(self._database):
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
        query = select(api_keys.c.id, api_keys.c.tenant, api_keys.c.budget, api_keys.c.revision)
        query = query.where(api_keys.c.revision > self._keys_seen)
        if not self._keys_seen:
            query = query.where(api_keys.c.budget.is_not(null()))
        async with self._database.connect() as connection:
            rows = (await connection.execute(query)).all()
        for row in rows:
            if row.budget is None:
                self._of_keys.pop(row.id, None)
            else:
                self._of_keys[row.id] = self._own(row)
        self._keys_seen = max([revision, *(row.revision for row in rows)])

    async def refresh_teams(self, _revision: int = 0) -> None:
        """Read who is in which team."""
        still = and_(memberships.c.tenant == team_members.c.tenant, memberships.c.user == team_members.c.user)
        query = select(team_members.c.tenant, team_members.c.user, team_members.c.team)
        teams: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        async with self._database.connect() as connection:
            for row in await connection.execute(query.join(memberships, still)):
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
        )


def _admits(pattern: str, model: str) -> bool:
    return pattern == model or (pattern.endswith("*") and model.startswith(pattern[:-1]))


def _id(entry: Entry) -> str:
    return entry.id
