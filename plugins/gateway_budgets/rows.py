"""Budgets as rows: made, listed, changed and removed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from msgspec import Struct, structs
from sqlalchemy import delete, insert, select, update

from gateway.errors import InvalidRequest
from gateway.store.audit import Actor, record
from gateway.store.changes import Expected, bump, check_expected
from gateway.store.checks import check_name
from gateway.store.keys import get_key
from gateway.store.random_ids import new_id
from gateway.store.structs import many, of_tenant, one, page
from gateway.store.teams import get_team
from gateway_budgets.amount import shown
from gateway_budgets.period import Span, zone_of
from gateway_budgets.tables import budgets

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store import Database

Scope: TypeAlias = Literal["tenant", "key", "user", "team", "model"]
Kind: TypeAlias = Literal["hard", "soft"]

REVISION: Final = "budgets"
_MAX_SUBJECT: Final = 200


class NewBudget(Struct, frozen=True, kw_only=True):
    """What a budget is of, and how much it is."""

    tenant: str
    scope: Scope
    subject: str = ""
    """The id of a key, user or team, a model's name or `prefix*`; '' for the tenant as a whole."""
    period: Span
    time_zone: str = "UTC"
    amount: int
    """10⁻⁹ credit for each period."""
    kind: Kind = "hard"
    """A hard budget refuses calls, a soft one only tells."""


class Budget(NewBudget, frozen=True, kw_only=True):
    """A row of `budgets`. Times are Unix seconds."""

    id: str
    created_at: float
    updated_at: float
    revision: int


async def create_budget(database: Database, new: NewBudget, *, actor: Actor) -> Budget:
    """Set a budget; what was spent before does not count.

    Raises `InvalidRequest`: 404 for a key or team that is not there, 409 when there is such a budget already.
    """
    await _check(database, new)
    async with database.begin() as connection:
        revision = await bump(connection, REVISION)
        if await one(connection, _like(new), Budget) is not None:
            raise InvalidRequest(
                "There is a budget of this period for it already: change that one.",
                status=409,
                code="conflict",
            )
        now = time.time()
        row = Budget(
            **structs.asdict(new), id=new_id("bud_"), created_at=now, updated_at=now, revision=revision
        )
        await connection.execute(insert(budgets).values(**structs.asdict(row)))
        await record(connection, actor, "budget.create", row.id, tenant=row.tenant, after=_shown(row))
    return row


async def find_budget(database: Database, like: NewBudget) -> Budget | None:
    """The budget for the same thing and period, if there is one."""
    async with database.connect() as connection:
        return await one(connection, _like(like), Budget)


async def get_budget(database: Database, tenant: str, id: str) -> Budget:
    """A budget of the tenant. Raises `InvalidRequest` (404)."""
    async with database.connect() as connection:
        return await _present(connection, tenant, id)


async def list_budgets(
    database: Database, tenant: str, *, after: str | None = None, limit: int | None = None
) -> list[Budget]:
    """The budgets of a tenant by id; `after` is the last one of the page before."""
    query = select(budgets).where(budgets.c.tenant == tenant)
    return await page(database, query, budgets.c.id, Budget, after=after, limit=limit)


async def all_budgets(database: Database) -> list[Budget]:
    """The budgets of all tenants: for who enforces them."""
    async with database.connect() as connection:
        return await many(connection, select(budgets), Budget)


async def change_budget(
    database: Database,
    tenant: str,
    id: str,
    *,
    amount: int | None = None,
    kind: Kind | None = None,
    actor: Actor,
    expected: Expected = None,
) -> Budget:
    """Change how much it is, or whether it refuses calls. Raises `InvalidRequest` (404, 412)."""
    async with database.begin() as connection:
        revision = await bump(connection, REVISION)
        before = await _present(connection, tenant, id)
        check_expected(expected, before.revision)
        after = structs.replace(
            before,
            amount=before.amount if amount is None else amount,
            kind=kind or before.kind,
            updated_at=time.time(),
            revision=revision,
        )
        changed = {name: getattr(after, name) for name in ("amount", "kind", "updated_at", "revision")}
        await connection.execute(
            update(budgets).where(budgets.c.tenant == tenant, budgets.c.id == id).values(**changed)
        )
        was, now = _shown(before), _shown(after)
        await record(connection, actor, "budget.change", id, tenant=tenant, before=was, after=now)
    return after


async def delete_budget(
    database: Database, tenant: str, id: str, *, actor: Actor, expected: Expected = None
) -> None:
    """Remove a budget; what was counted for it stays. Raises `InvalidRequest` (404, 412)."""
    async with database.begin() as connection:
        await bump(connection, REVISION)
        before = await _present(connection, tenant, id)
        check_expected(expected, before.revision)
        await connection.execute(delete(budgets).where(budgets.c.tenant == tenant, budgets.c.id == id))
        await record(connection, actor, "budget.delete", id, tenant=tenant, before=_shown(before))


async def _check(database: Database, new: NewBudget) -> None:
    zone_of(new.time_zone)
    if new.scope == "tenant":
        if new.subject:
            raise InvalidRequest("A budget of the whole tenant has no subject.", param="subject")
        return
    check_name(f"{new.scope} of a budget", new.subject, _MAX_SUBJECT, param="subject")
    if new.scope == "team":
        await get_team(database, new.tenant, new.subject)
    elif new.scope == "key" and await get_key(database, new.tenant, new.subject) is None:
        raise InvalidRequest(f"There is no API key {new.subject!r}.", status=404, code="not_found")


def _like(new: NewBudget) -> Select[Any]:
    return select(budgets).where(
        budgets.c.tenant == new.tenant,
        budgets.c.scope == new.scope,
        budgets.c.subject == new.subject,
        budgets.c.period == new.period,
    )


def _shown(row: Budget) -> dict[str, str]:
    return {
        "scope": row.scope,
        "subject": row.subject,
        "amount": shown(row.amount),
        "period": row.period,
        "kind": row.kind,
    }


async def _present(connection: AsyncConnection, tenant: str, id: str) -> Budget:
    return await of_tenant(connection, budgets, tenant, id, Budget, "budget")
