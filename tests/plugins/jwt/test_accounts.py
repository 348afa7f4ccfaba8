"""Access tokens of somebody who has an account: they are that account's, while the way to sign in is there."""

from __future__ import annotations

import pytest

from gateway.errors import PermissionDenied
from gateway.identity import Actor
from gateway.identity.people import Client, Proof, Rules
from gateway.plugin import Context
from gateway.store.users import disable_user

from .conftest import Door, Serve
from .oidc import Provider

ACTOR = Actor(kind="command", id="tests")
WALLET = Proof(kind="did", subject="did:key:zAlice", label="zAlice")


@pytest.fixture(autouse=True)
def anybody_may_come_in(context: Context) -> None:
    context.sessions.rules = Rules(sign_up="open")


async def user_of(door: Door, token: str) -> str | None:
    await door.plugin.context.changes.look()  # else it takes up to a second
    principal = await door.send(token)
    assert principal is not None
    assert (principal.authenticator, principal.scopes) == ("jwt", {"calls.make"}), "linking gives no rights"
    return principal.user


async def signed_up(context: Context) -> str:
    """A user who came in with a wallet."""
    opened = await context.sessions.sign_in(WALLET, method="did-key", client=Client(), invitation=None)
    return opened.session.user


async def test_a_linked_subject_is_the_account_and_an_unlinked_one_is_not(
    issuer: Provider, serve: Serve, context: Context
):
    door, token = await serve(), issuer.token()
    user = await signed_up(context)
    assert await user_of(door, token) == "corp:alice"
    linked = await context.sessions.add_identity(
        user, Proof(kind="oidc", subject=f"{issuer.url} alice", label="alice"), actor=ACTOR
    )
    assert await user_of(door, token) == user
    assert await user_of(door, issuer.token(sub="bob")) == "corp:bob"
    await context.sessions.remove_identity(user, linked.id, actor=ACTOR)
    assert await user_of(door, token) == "corp:alice"


async def test_the_subject_counts_whatever_the_ledger_shows(issuer: Provider, serve: Serve, context: Context):
    door = await serve(claims={"user": "email"})
    user = await signed_up(context)
    await context.sessions.add_identity(
        user, Proof(kind="oidc", subject=f"{issuer.url} alice", label="alice"), actor=ACTOR
    )
    assert await user_of(door, issuer.token(email="alice@example.com")) == user
    stranger = issuer.token(sub=None, email="alice@example.com")
    assert await user_of(door, stranger) == "corp:alice@example.com"


async def test_a_disabled_accounts_tokens_are_refused(issuer: Provider, serve: Serve, context: Context):
    door, token = await serve(), issuer.token()
    proof = Proof(kind="oidc", subject=f"{issuer.url} alice", label="alice")
    user = (await context.sessions.sign_in(proof, method="oidc", client=Client())).session.user
    assert await user_of(door, token) == user
    await disable_user(context.database, user, disabled=True, actor=ACTOR)
    await context.changes.look()
    with pytest.raises(PermissionDenied, match="disabled"):
        await door.send(token)
    await disable_user(context.database, user, disabled=False, actor=ACTOR)
    assert await user_of(door, token) == user
