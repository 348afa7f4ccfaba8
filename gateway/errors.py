"""One tree of errors. Each knows its HTTP status and the code a client program would switch on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any


class GatewayError(Exception):
    """Anything that ends a call or a start-up with a message for somebody.

    `message` is shown to the client, so it never holds a secret, a path or a traceback.
    """

    status = 500
    type = "server_error"
    code: str | None = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        type: str | None = None,
        code: str | None = None,
        param: str | None = None,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.headers = tuple(headers)
        """Extra headers for the client: `retry-after`, limits and the like."""
        self.request_id: str | None = None
        """Of the request that it ended, for dialects that say so in the body."""
        self.inner: Any = None
        """What lies behind it, decoded: Azure's `innererror`, which tells what a content filter found."""
        if status is not None:
            self.status = status
        if type is not None:
            self.type = type
        if code is not None:
            self.code = code


class InvalidRequest(GatewayError):
    """The client sent something that no retry will mend (400, 404, 405, 413, 422)."""

    status = 400
    type = "invalid_request_error"
    code = None


class AuthenticationFailed(GatewayError):
    """No credential, or one that is wrong, expired or revoked (401)."""

    status = 401
    type = "invalid_request_error"
    code = "invalid_api_key"


class PermissionDenied(GatewayError):
    """Known, but not allowed to do this (403)."""

    status = 403
    type = "invalid_request_error"
    code = "permission_denied"


class ModelNotFound(InvalidRequest):
    """No route leads to that model (404)."""

    status = 404
    code = "model_not_found"


class RateLimited(GatewayError):
    """A limit of the gateway is used up (429)."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class QuotaExceeded(GatewayError):
    """Credits or budget are used up (402); retrying does not help."""

    status = 402
    type = "insufficient_quota"
    code = "insufficient_quota"


class Unavailable(GatewayError):
    """The gateway cannot serve right now (503): its database is away, or it is shutting down."""

    status = 503
    type = "server_error"
    code = "service_unavailable"


class CallTimeout(GatewayError):
    """The call took longer than the gateway allows (504)."""

    status = 504
    type = "server_error"
    code = "timeout"


class ClientGone(GatewayError):
    """The client closed the connection (499, never sent)."""

    status = 499
    type = "client_error"
    code = "client_disconnected"


class ProviderError(GatewayError):
    """The provider refused, failed, or could not be reached.

    `status`, `type`, `code`, `message` and `retry-after` are the provider's own where it sent them.
    `can_fall_back` says whether another target may be tried.
    """

    status = 502
    type = "upstream_error"
    code = "upstream_error"

    def __init__(
        self,
        message: str,
        *,
        provider: str,
        can_fall_back: bool = True,
        status: int | None = None,
        type: str | None = None,
        code: str | None = None,
        param: str | None = None,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        super().__init__(message, status=status, type=type, code=code, param=param, headers=headers)
        self.provider = provider
        self.can_fall_back = can_fall_back


class ConfigError(GatewayError):
    """The config cannot be used. `problems` holds one line for each thing that is wrong."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class PluginError(GatewayError):
    """A plugin failed. Says in which phase, which plugin, under which name and from which distribution."""

    def __init__(self, problem: str, *, phase: str, plugin: str, instance: str, distribution: str) -> None:
        super().__init__(f"{phase} failed for [{instance}] (plugin {plugin} from {distribution}): {problem}")
        self.phase = phase
        self.plugin = plugin
        self.instance = instance
        self.distribution = distribution


class Undelivered(Exception):
    """A sink took a batch but for some records, each given by its id.

    Any other exception of a sink's says that it took none and is away, which counts against no record.
    """

    def __init__(
        self,
        *,
        failed: Mapping[str, str] | None = None,
        refused: Mapping[str, str] | None = None,
        left: Collection[str] = (),
    ) -> None:
        super().__init__("; ".join({*(failed or {}).values(), *(refused or {}).values()}))
        self.failed = failed or {}
        """Why these were not taken; they are tried again, later and later, and at last given up."""
        self.refused = refused or {}
        """Why these never will be taken; they are given up at once."""
        self.left = frozenset(left)
        """Those that were not tried; they come again soon."""
