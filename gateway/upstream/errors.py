"""What can go wrong with a request. Messages name host and port, never a secret, a path or a query."""

from __future__ import annotations


class UpstreamError(Exception):
    """Base of all errors of the client.

    `sent` says whether the origin may have begun to process the request; when it is False, sending the request
    again elsewhere cannot make it happen twice.
    """

    sent = True

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ConnectFailed(UpstreamError):
    """No connection: the name does not resolve, the peer refuses, TLS fails or the proxy says no."""

    sent = False


class AddressRefused(ConnectFailed):
    """The guard refuses the address: of a metadata service, or not public where only public ones are admitted."""


class ConnectTimeout(UpstreamError):
    """No connection within `Timeouts.connect`."""

    sent = False


class PoolTimeout(UpstreamError):
    """All connections to the origin stayed in use for `Timeouts.connect`."""

    sent = False


class FirstByteTimeout(UpstreamError):
    """The request is out, and no response head came within `Timeouts.first_byte`."""


class IdleTimeout(UpstreamError):
    """The body stopped coming for `Timeouts.idle`."""


class TotalTimeout(UpstreamError):
    """The exchange took longer than `Timeouts.total`."""


class ConnectionLost(UpstreamError):
    """The connection ended before the head, or in the middle of the body, or was closed by us."""

    def __init__(self, message: str, *, unanswered: bool = False) -> None:
        super().__init__(message)
        self.unanswered = unanswered
        """A connection from the pool died with no byte of an answer: most likely the peer had closed it."""


class MalformedResponse(UpstreamError):
    """The response breaks HTTP/1.1 (RFC 9112), exceeds a limit on its head, or is encoded unasked."""


class BodyTooLarge(UpstreamError):
    """A body that was to be read whole exceeds `Limits.max_body_bytes`."""
