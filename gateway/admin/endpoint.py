"""How a resource declares its operations: routes, authorisation, validation and the OpenAPI document come from this."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct
from pydantic import BaseModel
from starlette.responses import Response

from gateway.admin.request import AdminRequest
from gateway.admin.shapes import Body, Query, Shown
from gateway.identity.permissions import PERMISSIONS

SIGNED_IN: Final = "signed_in"
"""In place of a permission: anybody who is recognised, for what concerns nobody but them."""

Method: TypeAlias = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

Handler: TypeAlias = Callable[[AdminRequest[Any, Any]], Awaitable[Shown | Response | None]]
"""Returns what is shown, nothing (204), or a response of its own: a stream. Raises `GatewayError`s."""

_PATH: Final = re.compile(r"(/[a-z][a-z0-9_.-]*|/\{[a-z_]+\})+(/\{[a-z_]+:path\})?")


class Endpoint(Struct, frozen=True, kw_only=True):
    """One operation. Raises ValueError for a declaration that would leave something open."""

    method: Method
    path: str
    """Below `/admin/api`, as `/keys/{id}`."""
    permission: str | tuple[str, ...]
    """What the caller needs in the tenant, or SIGNED_IN; of several, any one will do, and the handler looks which."""
    handler: Handler
    summary: str
    """For the OpenAPI document and the table in docs/admin-api.md: a short sentence without a full stop."""
    query: type[Query] = Query
    body: type[Body] | None = None
    answer: type[BaseModel] | None = None
    """None where there is nothing to show: 204."""
    status: int = 0
    """When all went well; by itself 201 for POST with an answer, 204 without one, else 200."""
    media: str | None = None
    """The media type of an answer that is not JSON."""
    versioned: bool | None = None
    """Whether a change needs `If-Match`: unless told otherwise that of PUT, PATCH and DELETE does."""

    def __post_init__(self) -> None:
        """Refuse what would not be guarded, or could not be."""
        where = f"{self.method} {self.path}"
        if not self.permissions:
            raise ValueError(f"{where}: needs a permission")
        for permission in self.permissions:
            if permission != SIGNED_IN and permission not in PERMISSIONS:
                raise ValueError(f"{where}: there is no permission {permission!r}")
        if not _PATH.fullmatch(self.path):
            raise ValueError(f"{where}: paths look like /things/{{id}}")
        if self.body is not None and self.method in {"GET", "DELETE"}:
            raise ValueError(f"{where}: {self.method} has no body")

    @property
    def permissions(self) -> tuple[str, ...]:
        """Any of these is enough."""
        return (self.permission,) if isinstance(self.permission, str) else self.permission

    @property
    def of_gateway(self) -> bool:
        """Whether it concerns the whole gateway, and no tenant."""
        return all(permission.startswith("gateway.") for permission in self.permissions)

    @property
    def needs_match(self) -> bool:
        """Whether the caller must say which revision it changes."""
        return self.method in {"PUT", "PATCH", "DELETE"} if self.versioned is None else self.versioned

    @property
    def success(self) -> int:
        """The status when all went well."""
        if self.status:
            return self.status
        if self.answer is None and self.media is None:
            return 204
        return 201 if self.method == "POST" else 200
