"""The admin API as an ASGI application."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from gateway.admin import PREFIX
from gateway.admin.answers import Made, make
from gateway.admin.caller import acting_for, actor_of, authorise, named_tenant, within_rights
from gateway.admin.endpoint import Endpoint
from gateway.admin.etags import if_match
from gateway.admin.idempotency import fingerprint, once
from gateway.admin.problems import problem
from gateway.admin.reading import parameters, read_body, read_query
from gateway.admin.request import AdminRequest, Services
from gateway.api.access import Access
from gateway.api.incoming import HttpIncoming
from gateway.errors import AuthenticationFailed, GatewayError, InvalidRequest

log = logging.getLogger("gateway.admin")

MAX_BODY: Final = 2**20
_HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)


class AdminApp:
    """Routes requests to endpoints, and guards them: who asks, may they, is it well-formed."""

    def __init__(self, endpoints: Sequence[Endpoint], access: Access, services: Services) -> None:
        self._access = access
        self._services = services
        paths: dict[str, dict[str, Endpoint]] = {}
        for endpoint in endpoints:
            methods = paths.setdefault(endpoint.path, {})
            if endpoint.method in methods:
                raise ValueError(f"{endpoint.method} {endpoint.path} is declared twice")
            methods[endpoint.method] = endpoint
        routes = [
            Route(PREFIX + path, _Resource(self, paths[path])) for path in sorted(paths, key=_literal_first)
        ]
        self._router = Router(routes, redirect_slashes=False, default=_Resource(self, {}))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; errors as application/problem+json."""
        await self._router(scope, receive, send)

    async def answer(self, endpoint: Endpoint, scope: Scope, receive: Receive) -> Response:
        """Carry out one request. Raises `GatewayError`."""
        services = self._services
        database = services.context.database
        operator = services.config.settings.identity.operator_tenant
        incoming = HttpIncoming(scope, receive, MAX_BODY)
        principal = within_rights(await self._access.principal(incoming), operator)
        query = parameters(scope.get("query_string", b""))
        named = query.pop("tenant", None)
        if isinstance(named, list):
            raise InvalidRequest("'tenant' may be given once.", param="tenant")
        caller = await acting_for(principal, named_tenant(incoming, named), database, operator)
        authorise(endpoint, caller.principal, services.context.tenants)
        request: AdminRequest[Any, Any] = AdminRequest(
            services=services,
            principal=caller.principal,
            actor=actor_of(principal, incoming, scope["gateway.request_id"]),
            tenant=caller.tenant,
            path=_named(scope["path_params"]),
            query=read_query(endpoint, query),
            body=await read_body(endpoint, incoming),
            expected=if_match(incoming.headers.get(b"if-match")) if endpoint.needs_match else None,
        )
        root = scope.get("root_path", "")
        reads, repeatable = endpoint.method == "GET", endpoint.method == "POST" and endpoint.media is None
        key = incoming.headers.get(b"idempotency-key") if repeatable else None
        if key is None:
            shown = await endpoint.handler(request)
            if isinstance(shown, Response):
                return shown
            known = incoming.headers.get(b"if-none-match") if reads else None
            return make(endpoint, shown, root).response(known)

        async def work() -> Made:
            shown = await endpoint.handler(request)
            assert not isinstance(shown, Response), "what creates something shows it"
            return make(endpoint, shown, root)

        made = await once(
            database,
            tenant=request.tenant,
            actor=request.actor,
            header=key,
            request=fingerprint(endpoint.method, incoming.path, await incoming.body()),
            work=work,
        )
        return made.response()


class _Resource:
    """One path and its methods."""

    def __init__(self, app: AdminApp, methods: Mapping[str, Endpoint]) -> None:
        self._app = app
        self._methods = methods
        allowed = {*methods, "OPTIONS", *(["HEAD"] if "GET" in methods else [])}
        self._allowed = ", ".join(sorted(allowed))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._respond(scope, receive)
        except GatewayError as error:
            response = problem(error, scope)
            if isinstance(error, AuthenticationFailed):
                response.headers["www-authenticate"] = "Bearer"
        except Exception:
            log.exception("%s: internal error", scope["gateway.request_id"])
            response = problem(GatewayError("The gateway failed to process this request."), scope)
        response.raw_headers.extend(_HEADERS)
        if scope["method"] == "HEAD":
            head = Response(status_code=response.status_code)
            head.raw_headers = response.raw_headers
            response = head
        await response(scope, receive, send)

    async def _respond(self, scope: Scope, receive: Receive) -> Response:
        method, path = scope["method"], scope["path"]
        if not self._methods:
            raise InvalidRequest(
                f"There is no {path}. {PREFIX}/openapi.json says what there is.",
                status=404,
                code="unknown_url",
            )
        if method == "OPTIONS":
            return Response(status_code=204, headers={"allow": self._allowed})
        endpoint = self._methods.get("GET" if method == "HEAD" else method)
        if endpoint is None:
            raise InvalidRequest(
                f"{method} is not allowed for {path}. Allowed: {self._allowed}.",
                status=405,
                code="method_not_allowed",
                headers=[(b"allow", self._allowed.encode())],
            )
        return await self._app.answer(endpoint, scope, receive)


def _literal_first(path: str) -> list[tuple[bool, str]]:
    """Sort `/calls/export` before `/calls/{id}`."""
    return [(part.startswith("{"), part) for part in path.split("/")]


def _named(found: Mapping[str, str]) -> Mapping[str, str]:
    if any("\0" in value for value in found.values()):
        raise InvalidRequest("There is nothing of that name.", status=404, code="not_found")
    return found
