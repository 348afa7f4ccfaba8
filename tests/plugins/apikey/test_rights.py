"""What a key may do, from where, for whom; and when it was used."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import pytest
from sqlalchemy import update

from gateway.errors import AuthenticationFailed, PermissionDenied, RateLimited
from gateway.identity.attempts import Attempts
from gateway.plugin import Context
from gateway.store.changes import bump
from gateway.store.identity_tables import service_accounts
from gateway.store.key_rows import KeySettings
from gateway.store.keys import change_key
from gateway.store.service_accounts import create_service_account
from gateway.types import CallLimits
from gateway_apikey import ApiKey

from .support import TESTS, bearer, make, running, stored, until_refused


@pytest.mark.parametrize(
    ("client", "admits"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("2001:db8:1::9", True),
        ("192.0.2.7", True),
        ("11.1.2.3", False),
        ("2001:db8:2::9", False),
        ("::1", False),
        ("unknown", False),
        (None, False),
    ],
)
async def test_a_key_comes_from_its_networks(
    context: Context, plugin: ApiKey, client: str | None, admits: bool
):
    networks = ("10.0.0.0/8", "192.0.2.7", "2001:db8:1::/48")
    row, key = await make(context, "a", settings=KeySettings(networks=networks))
    if admits:
        assert await plugin.authenticate(bearer(key, client))
        return
    with pytest.raises(PermissionDenied) as refused:
        await plugin.authenticate(bearer(key, client))
    assert (refused.value.status, refused.value.code) == (403, "address_not_allowed")
    await plugin.shutdown()
    assert (await stored(context, row)).last_used_at is None


async def test_a_key_has_what_it_was_given(context: Context, plugin: ApiKey):
    limits = CallLimits(requests_per_minute=5)
    settings = KeySettings(scopes=("usage.read", "gateway.config"), limits=limits, endpoints=("/v1/models",))
    _, key = await make(context, "a", tenant="acme", settings=settings)
    principal = await plugin.authenticate(bearer(key))
    assert principal is not None
    assert principal.scopes == {"usage.read"}  # what concerns the gateway, only the operator's tenant has
    assert principal.limits == limits
    assert principal.may_reach("/v1/models")
    assert not principal.may_reach("/v1/models/x")
    _, key = await make(context, "a", settings=settings)
    principal = await plugin.authenticate(bearer(key))
    assert principal is not None
    assert principal.scopes == {"usage.read", "gateway.config"}


async def test_a_change_is_seen(context: Context, plugin: ApiKey):
    row, key = await make(context, "a")
    assert await plugin.authenticate(bearer(key))
    networks = KeySettings(networks=("10.0.0.0/8",))
    await change_key(context.database, row.tenant, row.id, networks, actor=TESTS)
    async with asyncio.timeout(30):
        while await admitted(plugin, key):
            await asyncio.sleep(0.01)


async def admitted(plugin: ApiKey, key: str) -> bool:
    try:
        return await plugin.authenticate(bearer(key)) is not None
    except PermissionDenied:
        return False


async def test_a_key_can_do_no_more_than_its_owner(context: Context, plugin: ApiKey):
    account = await create_service_account(context.database, "acme", "ci", "viewer", actor=TESTS)
    settings = KeySettings(scopes=("calls.make", "calls.read", "keys.manage"))
    _, key = await make(context, "a", tenant="acme", settings=settings, owner=account.id)
    principal = await plugin.authenticate(bearer(key))
    assert principal is not None
    assert (principal.user, principal.roles, principal.scopes) == (account.id, {"viewer"}, {"calls.read"})
    await change_account(context, role="admin")
    async with asyncio.timeout(30):
        while not (principal := await plugin.authenticate(bearer(key))) or not principal.may("keys.manage"):
            await asyncio.sleep(0.01)
    assert principal.scopes == {"calls.make", "calls.read", "keys.manage"}
    await change_account(context, disabled_at=time.time())
    assert "belongs to somebody who is disabled" in (await until_refused(plugin, key)).message
    await change_account(context, disabled_at=None)
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(AuthenticationFailed):
                if await plugin.authenticate(bearer(key)):
                    break
            await asyncio.sleep(0.01)
    await change_account(context, tenant="other")
    assert "no longer in its tenant" in (await until_refused(plugin, key)).message


async def change_account(context: Context, **values: Any) -> None:
    async with context.database.begin() as connection:
        await bump(connection, "service_accounts")
        await connection.execute(update(service_accounts).values(**values))


async def test_its_use_is_written_at_the_end(context: Context):
    row, key = await make(context, "a")
    unused, _ = await make(context, "b")
    began = time.time()
    async with running(context) as first, running(context) as second:
        for plugin in (first, second, first):
            assert await plugin.authenticate(bearer(key))
        assert (await stored(context, row)).last_used_at is None  # not while calls wait
    used = (await stored(context, row)).last_used_at
    assert used is not None
    assert began <= used <= time.time()
    assert (await stored(context, unused)).last_used_at is None


async def test_who_guesses_too_often_waits_and_who_knows_does_not(context: Context):
    context.attempts = Attempts(3)
    _, known = await make(context, "known")
    async with running(context) as plugin:
        for _ in range(2):
            context.attempts.failed("192.0.2.7")
        assert await plugin.authenticate(bearer(known, "192.0.2.7"))
        with pytest.raises(AuthenticationFailed):
            await plugin.authenticate(bearer("gw_wrong", "192.0.2.7"))
        context.attempts.failed("192.0.2.7")
        with pytest.raises(RateLimited) as refused:
            await plugin.authenticate(bearer("gw_wrong", "192.0.2.7"))
        assert refused.value.code == "too_many_failures"
        assert await plugin.authenticate(bearer(known, "192.0.2.7"))
        with pytest.raises(AuthenticationFailed):
            await plugin.authenticate(bearer("gw_wrong", "192.0.2.8"))
