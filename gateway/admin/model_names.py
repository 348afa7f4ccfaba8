"""`/gateway/models`: the names under which models are called, of the config and made here, and where they lead."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, cast

from pydantic import BeforeValidator, Field, ValidationError

from gateway.admin.endpoint import Endpoint
from gateway.admin.paging import after, page
from gateway.admin.request import AdminRequest
from gateway.admin.shapes import Body, Page, PageQuery, Query, Shown, moment
from gateway.document import did_you_mean
from gateway.errors import InvalidRequest, ModelNotFound
from gateway.routing.live import Entry, layered
from gateway.settings import ModelRoute
from gateway.store.model_routes import (
    LONGEST_NAME,
    StoredRoute,
    add_route,
    all_routes,
    change_route,
    remove_route,
)
from gateway.types import Principal

_MOST_TARGETS = 100
_TARGETS = (
    'In the order of preference, each as in the config: "provider:model", or an object with `to`, `tier` and `weight`. '
    "Empty: where the name leads already, by the config or as `provider/model`."
)


class TargetGiven(Body):
    """Where calls may go."""

    to: str = Field(max_length=400, description="`provider:model`, with the provider's name in the config.")
    weight: int = Field(default=1, ge=1)
    tier: int = Field(default=1, ge=1, description="Tiers are tried in ascending order.")


Given = Annotated[
    TargetGiven,
    BeforeValidator(
        lambda value: {"to": value} if isinstance(value, str) else value,
        json_schema_input_type=str | TargetGiven,
    ),
]
"""A target, as a text or as an object."""


class NewName(Body):
    """A name that is to be called."""

    id: str = Field(
        min_length=1, max_length=LONGEST_NAME, description="The name. One of the config is replaced by it."
    )
    targets: list[Given] = Field(default=[], max_length=_MOST_TARGETS, description=_TARGETS)
    policy: Literal["priority"] = "priority"
    enabled: bool = Field(
        default=True, description="False: whoever calls it is told that there is no such model."
    )


class NameChange(Body):
    """What is to be different."""

    targets: list[Given] | None = Field(default=None, max_length=_MOST_TARGETS, description=_TARGETS)
    policy: Literal["priority"] | None = None
    enabled: bool | None = None


class NameFilters(PageQuery):
    """Which names are meant."""

    source: Literal["config", "api"] | None = Field(default=None, description="Where they are from.")
    enabled: bool | None = Field(default=None, description="Whether they may be called.")
    search: str | None = Field(default=None, min_length=1, max_length=200, description="Part of the name.")


class TargetShown(Shown):
    """Where calls may go."""

    to: str
    weight: int
    tier: int


class NameShown(Shown):
    """A name, and where it leads."""

    id: str
    targets: list[TargetShown] | None = Field(
        description="Null where the entry only says whether a `provider/model` may be called."
    )
    policy: str | None
    enabled: bool
    source: Literal["config", "api"]
    in_config: bool = Field(
        description="Whether the config has it, too: that holds when the entry is removed."
    )
    created_at: datetime | None
    updated_at: datetime | None
    revision: int = Field(description="0 for one of the config alone.")


async def list_names(request: AdminRequest[NameFilters, None]) -> Page[NameShown]:
    """List the names of all sources."""
    query = request.query
    start = after(query.cursor, tuple[str])
    entries = await _entries(request)
    rows = [
        entry
        for entry in entries.values()
        if query.source in (None, entry.source)
        and query.enabled in (None, entry.enabled)
        and (query.search is None or query.search.lower() in entry.name.lower())
        and (start is None or entry.name > start[0])
    ]
    shown, cursor = page(rows, query.limit, lambda entry: (entry.name,))
    return Page[NameShown](data=[_shown(entry) for entry in shown], next_cursor=cursor)


async def show_name(request: AdminRequest[Query, None]) -> NameShown:
    """Show one."""
    return await _one(request, request.path["id"])


async def create_name(request: AdminRequest[Query, NewName]) -> NameShown:
    """Make one."""
    body = request.body
    if not body.targets:
        _require_known(request, body.id)
    await add_route(
        request.database,
        body.id,
        targets=_targets(request, body.targets),
        policy=body.policy,
        enabled=body.enabled,
        actor=request.actor,
    )
    return await _one(request, body.id)


async def change_name(request: AdminRequest[Query, NameChange]) -> NameShown:
    """Change one."""
    body, name = request.body, request.path["id"]
    values: dict[str, Any] = {}
    if body.targets is not None:
        if not body.targets:
            _require_known(request, name)
        values["targets"] = _targets(request, body.targets)
    values |= {field: value for field in ("policy", "enabled") if (value := getattr(body, field)) is not None}
    await change_route(request.database, name, values, actor=request.actor, expected=request.expected)
    return await _one(request, name)


async def remove_name(request: AdminRequest[Query, None]) -> None:
    """Remove one."""
    await remove_route(request.database, request.path["id"], actor=request.actor, expected=request.expected)


async def _entries(request: AdminRequest[Any, Any]) -> dict[str, Entry]:
    """All entries as they are stored this moment: what was just changed is seen on every worker."""
    return layered(request.services.config.models, await all_routes(request.database))


async def _one(request: AdminRequest[Any, Any], name: str) -> NameShown:
    entry = (await _entries(request)).get(name)
    if entry is None:
        raise InvalidRequest(f"There is no name {name!r}.", status=404, code="not_found", param="id")
    return _shown(entry)


def _targets(request: AdminRequest[Any, Any], given: list[Given]) -> list[dict[str, str | int]]:
    """Read targets as the config's are read. Raises `InvalidRequest` (422) for the first that cannot be."""
    if not given:
        return []
    plain = [one.model_dump() for one in given]
    try:
        route = ModelRoute.model_validate({"targets": plain})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"] if isinstance(part, int) or part == "targets")
        raise _wrong(f"{place}: {first['msg']}") from None
    providers = [table.name for table in request.services.config.plugins if table.kind == "provider"]
    for number, target in enumerate(route.targets):
        if target.provider not in providers:
            hint = did_you_mean(target.provider, providers) or f"; there are {', '.join(providers)}"
            raise _wrong(f"targets.{number}: unknown provider '{target.provider}'{hint}")
    return cast("list[dict[str, str | int]]", route.model_dump(mode="json")["targets"])


def _require_known(request: AdminRequest[Any, Any], name: str) -> None:
    """Refuse a name that leads nowhere."""
    if name in request.services.config.models:
        return
    try:
        request.services.routing.model(name, Principal(tenant="", authenticator=""))
    except ModelNotFound:
        provider, slash, model = name.partition("/")
        if not (slash and model and provider in request.services.providers):
            raise _wrong(f"targets: needed, for neither the config nor a provider has '{name}'.") from None


def _wrong(message: str) -> InvalidRequest:
    return InvalidRequest(message, status=422, param="targets", code="invalid_fields")


def _shown(entry: Entry) -> NameShown:
    row: StoredRoute | None = entry.row
    targets = None
    if entry.route is not None:
        in_order = sorted(entry.route.targets, key=lambda target: target.tier)
        targets = [TargetShown(to=one.to, weight=one.weight, tier=one.tier) for one in in_order]
    return NameShown(
        id=entry.name,
        targets=targets,
        policy=None if entry.route is None else entry.route.policy,
        enabled=entry.enabled,
        source=entry.source,
        in_config=entry.in_config,
        created_at=None if row is None else moment(row.created_at),
        updated_at=None if row is None else moment(row.updated_at),
        revision=0 if row is None else row.revision,
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/gateway/models",
        permission="gateway.models",
        handler=list_names,
        summary="List the names of the config and those made here, and where they lead",
        query=NameFilters,
        answer=Page[NameShown],
    ),
    Endpoint(
        method="POST",
        path="/gateway/models",
        permission="gateway.models",
        handler=create_name,
        summary="Make a name, or replace or disable one of the config or of a provider",
        body=NewName,
        answer=NameShown,
    ),
    Endpoint(
        method="GET",
        path="/gateway/models/{id:path}",
        permission="gateway.models",
        handler=show_name,
        summary="Show a name, and where it leads",
        answer=NameShown,
    ),
    Endpoint(
        method="PATCH",
        path="/gateway/models/{id:path}",
        permission="gateway.models",
        handler=change_name,
        summary="Change, disable or enable a name that was made here",
        body=NameChange,
        answer=NameShown,
    ),
    Endpoint(
        method="DELETE",
        path="/gateway/models/{id:path}",
        permission="gateway.models",
        handler=remove_name,
        summary="Remove a name that was made here; one of the config holds again",
    ),
)
