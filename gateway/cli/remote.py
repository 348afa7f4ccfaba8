"""What commands share that ask a running gateway over HTTP, as the person who signed in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlencode, urlsplit

import click
import msgspec

from gateway.cli.logins import Login, Logins

if TYPE_CHECKING:
    from gateway.upstream import Client

T = TypeVar("T")

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_SOON: Final = 30.0
_ERROR: Final = 400
_UNAUTHORIZED: Final = 401

_decode = msgspec.json.Decoder(dict[str, Any]).decode


def _checked(_ctx: click.Context, _parameter: click.Parameter, url: str) -> str:
    wrong = "give the gateway's address, as https://gateway.example.com"
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as error:
        raise click.BadParameter(wrong) from error
    if not host or parts.scheme not in {"http", "https"} or parts.query or parts.fragment or parts.username:
        raise click.BadParameter(wrong)
    if parts.scheme == "http" and host not in _LOOPBACK:
        raise click.BadParameter("use https: over http everybody on the way could read your session")
    return url.rstrip("/")


url_option = click.option(
    "--url",
    default="http://127.0.0.1:8080",
    envvar="GATEWAY_URL",
    show_default=True,
    show_envvar=True,
    callback=_checked,
    help="The gateway's address.",
)


class Refused(click.ClickException):
    """The gateway did not do what it was asked for."""

    def __init__(self, status: int, answer: Mapping[str, Any]) -> None:
        self.status = status
        self.code: str = str(answer.get("error", ""))
        """In the words of OAuth, where the endpoint is one of its."""
        words: Any = answer.get("error_description") or answer.get("detail")
        if isinstance(answer.get("error"), dict):
            words = answer["error"].get("message")
        super().__init__(str(words or f"the gateway answered with HTTP {status}"))


class Remote:
    """A running gateway."""

    def __init__(self, client: Client, url: str) -> None:
        self._client = client
        self.url = url
        self.logins = Logins()

    async def form(self, path: str, **fields: str | None) -> dict[str, Any]:
        """POST a form. Raises `Refused`, and `UpstreamError` when the gateway cannot be reached."""
        body = urlencode({name: value for name, value in fields.items() if value is not None}).encode()
        return await self._send("POST", path, body, [(b"content-type", b"application/x-www-form-urlencoded")])

    async def json(self, path: str, **fields: str) -> dict[str, Any]:
        """POST a JSON object. Raises `Refused`, and `UpstreamError` when the gateway cannot be reached."""
        body = msgspec.json.encode(fields)
        return await self._send("POST", path, body, [(b"content-type", b"application/json")])

    async def signed_in(self, method: str, path: str) -> dict[str, Any]:
        """Ask in the name of who is signed in. Raises `Refused`, `ClickException`, `UpstreamError`."""
        try:
            return await self._ask(method, path, await self.access())
        except Refused as refused:
            if refused.status != _UNAUTHORIZED:
                raise
        return await self._ask(method, path, await self.access(renewed=True))

    async def access(self, *, renewed: bool = False) -> str:
        """An access token, refreshed where its time is over. Raises `ClickException` when nobody is signed in."""
        login = self.logins.find(self.url)
        if login is None:
            raise click.ClickException(
                f"You are not signed in to {self.url}. Run: gateway login --url {self.url}"
            )
        if not renewed and login.expires_at - time.time() > _SOON:
            return login.access
        try:
            answer = await self.form(
                "/sign-in/token", grant_type="refresh_token", refresh_token=login.refresh
            )
        except Refused as refused:
            if refused.code != "invalid_grant":
                raise
            self.logins.drop(self.url)
            raise click.ClickException(
                f"Your session at {self.url} has ended. Run: gateway login --url {self.url}"
            ) from refused
        return self.keep(answer)

    def keep(self, answer: Mapping[str, Any]) -> str:
        """Write new tokens down, and return the access token."""
        expires_at = time.time() + float(answer["expires_in"])
        login = Login(access=answer["access_token"], refresh=answer["refresh_token"], expires_at=expires_at)
        self.logins.keep(self.url, login)
        return login.access

    async def _ask(self, method: str, path: str, token: str) -> dict[str, Any]:
        return await self._send(method, path, b"", [(b"authorization", b"Bearer " + token.encode())])

    async def _send(
        self, method: str, path: str, body: bytes, headers: list[tuple[bytes, bytes]]
    ) -> dict[str, Any]:
        response = await self._client.send(
            self._client.prepare(method, self.url + path, [(b"accept", b"application/json"), *headers]), body
        )
        content = await response.read()
        try:
            answer = _decode(content) if content else {}
        except msgspec.DecodeError:
            raise click.ClickException(
                f"{self.url} does not answer like a gateway. Is the address right?"
            ) from None
        if response.status >= _ERROR:
            raise Refused(response.status, answer)
        return answer


def on_gateway(url: str, work: Callable[[Remote], Awaitable[T]]) -> T:
    """Run `work` with a gateway. Raises `ClickException` when it cannot be reached."""
    from gateway.upstream import Client, Timeouts, UpstreamError

    async def run() -> T:
        client = Client(timeouts=Timeouts(connect=5, first_byte=30, idle=30, total=60))
        try:
            return await work(Remote(client, url))
        except UpstreamError as error:
            raise click.ClickException(f"{url} cannot be reached: {error.message}") from error
        finally:
            await client.close()

    return asyncio.run(run())
