"""What an authenticator promises: its own credentials and no others, and a refusal for those that are not good."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, ClassVar

from gateway.plugin import Plugin
from gateway.protocols import Incoming
from gateway.testing.contracts.plugin import PluginContract
from gateway.testing.contracts.running import in_event_loop
from gateway.testing.fakes import FakeProvider, plugin_with
from gateway.types import Answer, Call, Principal, Proceed

URL = "http://gateway/v1/chat/completions"
BODY = b'{"model":"fake/good","messages":[{"role":"user","content":"Hello?"}]}'
"""The request that the suite makes with each credential, for credentials that are made for one request: a POST of JSON."""


class AuthContract(PluginContract):
    """The suite for authenticators. Set `plugin`, and say what good and bad credentials look like."""

    kind: ClassVar[str] = "auth"

    async def good(self, plugin: Plugin[Any]) -> Mapping[str, str]:
        """Make a credential that the started plugin accepts, as headers."""
        raise NotImplementedError

    async def bad(self, plugin: Plugin[Any]) -> Sequence[Mapping[str, str]]:
        """Make credentials of this kind that it must refuse: unknown, expired, revoked, mangled."""
        raise NotImplementedError

    def foreign(self) -> Sequence[Mapping[str, str]]:
        """Give headers with credentials of other kinds, which are not this plugin's business."""
        return [{}, {"authorization": "Basic dXNlcjpub3QtYS1yZWFsLXBhc3N3b3Jk"}, {"cookie": "session=none"}]

    @asynccontextmanager
    async def guarded(self, folder: Path) -> AsyncGenerator[_Door]:
        """Start a gateway whose calls this plugin guards, and behind it one that lets everybody in."""
        door = _Door()
        others = [
            plugin_with("auth.anyone", register_authenticators=[_Anyone()]),
            plugin_with("provider.fake", register_providers=[FakeProvider()]),
            plugin_with("middleware.door", register_interceptors=[door]),
        ]
        async with self.gateway(folder, plugins=others) as gateway, gateway.client as client:
            door.plugin = gateway.registry.plugins[0]
            door.client = client
            yield door

    @in_event_loop
    async def test_good_credentials_become_a_principal(self, tmp_path: Path) -> None:
        async with self.guarded(tmp_path) as door:
            status, message = await door.knock(await self.good(door.plugin))
            assert status == HTTPStatus.OK, message
            (principal,) = door.principals
            assert principal.authenticator not in {"", "anyone"}
            assert principal.tenant
            assert isinstance(principal.roles, frozenset)
            assert isinstance(principal.scopes, frozenset)
            assert principal.models is None or isinstance(principal.models, tuple)
            hash(principal)

    @in_event_loop
    async def test_bad_credentials_are_refused(self, tmp_path: Path) -> None:
        async with self.guarded(tmp_path) as door:
            for headers in await self.bad(door.plugin):
                status, message = await door.knock(headers)
                assert status == HTTPStatus.UNAUTHORIZED, f"{headers} gave {status}: {message}"
                for value in headers.values():
                    assert value.rpartition(" ")[2] not in message, "the refusal repeats the credential"
            assert not door.principals

    @in_event_loop
    async def test_foreign_credentials_are_left_to_others(self, tmp_path: Path) -> None:
        async with self.guarded(tmp_path) as door:
            for headers in self.foreign():
                status, message = await door.knock(headers)
                assert status == HTTPStatus.OK, f"{headers} gave {status}: {message}"
            assert {principal.authenticator for principal in door.principals} == {"anyone"}

    @in_event_loop
    async def test_credentials_are_told_apart(self, tmp_path: Path) -> None:
        async with self.guarded(tmp_path) as door:
            statuses: list[int] = []
            for _ in range(2):
                statuses.append((await door.knock(await self.good(door.plugin)))[0])
                statuses.append((await door.knock((await self.bad(door.plugin))[0]))[0])
            statuses.append((await door.knock(await self.good(door.plugin)))[0])
            assert statuses == [200, HTTPStatus.UNAUTHORIZED, 200, HTTPStatus.UNAUTHORIZED, 200]

    @in_event_loop
    async def test_garbage_is_no_fault(self, tmp_path: Path) -> None:
        async with self.guarded(tmp_path) as door:
            for value in ("", "Bearer", "Bearer ", "Bearer \xff\xfe", "Bearer " + "x" * 5000, "\x00"):
                status, message = await door.knock({"authorization": value})
                assert status in {200, 400, HTTPStatus.UNAUTHORIZED}, (
                    f"{value[:20]!r} gave {status}: {message}"
                )


class _Anyone:
    async def authenticate(self, incoming: Incoming) -> Principal:
        assert incoming.path
        return Principal(tenant="default", authenticator="anyone")


class _Door:
    """Sends calls, and sees who gets in."""

    plugin: Plugin[Any]
    client: Any

    def __init__(self) -> None:
        self.principals: list[Principal] = []

    async def around_call(self, call: Call, proceed: Proceed) -> Answer:
        self.principals.append(call.principal)
        return await proceed(call)

    async def knock(self, headers: Mapping[str, str]) -> tuple[int, str]:
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        if "content-type" not in headers:
            raw.append((b"content-type", b"application/json"))
        response = await self.client.post(URL, content=BODY, headers=raw)
        return response.status_code, response.text
