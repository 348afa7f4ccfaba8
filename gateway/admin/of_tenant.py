"""What the resources of a tenant have in common: pages of what is listed by one name, and what may be granted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from gateway.admin.paging import after, page
from gateway.admin.shapes import PageQuery
from gateway.identity.roles import Grants

if TYPE_CHECKING:
    from gateway.admin.request import AdminRequest
    from gateway.store import Database

QueryT = TypeVar("QueryT", bound=PageQuery)
Row = TypeVar("Row")
Row_co = TypeVar("Row_co", covariant=True)


class Lists(Protocol[Row_co]):
    """A function of a repository: up to `limit` of the tenant's rows, behind the one called `after`."""

    def __call__(
        self, database: Database, tenant: str, *, after: str | None, limit: int
    ) -> Awaitable[Sequence[Row_co]]: ...


async def page_of(
    request: AdminRequest[QueryT, None], rows: Lists[Row], name: Callable[[Row], str]
) -> tuple[Sequence[Row], str | None]:
    """The page that a request asks for, and the cursor of the next. Raises `InvalidRequest` for a bad cursor."""
    query = request.query
    last = after(query.cursor, tuple[str])
    found = await rows(
        request.database, request.tenant, after=last[0] if last else None, limit=query.limit + 1
    )
    return page(found, query.limit, lambda row: (name(row),))


def grants_of(request: AdminRequest[Any, Any]) -> Grants:
    """What the caller may grant in the tenant."""
    return Grants(
        request.database,
        request.tenant,
        held=request.principal.scopes,
        operator_tenant=request.services.config.settings.identity.operator_tenant,
        actor=request.actor,
    )
