"""Whose turn it is: by weight, as evenly as can be, and each tenant its own."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ProviderError
from gateway.provider import Credential, Credentials, ServiceConfig
from gateway.types import HeldCredential


def held(secret: str, *, tenant: str = "", weight: int = 1, id: str = "") -> HeldCredential:
    fields = {"api_key": secret}
    return HeldCredential(
        tenant=tenant, id=id or secret, kind="api_key", fields=fields, weight=weight, enabled=True
    )


def using(*some: HeldCredential) -> Credentials:
    config = ServiceConfig(vault=True)
    credentials = Credentials([], makers=config.makers(api_key=lambda fields: Credential(fields["api_key"])))
    credentials.use("openai", some, lambda one, error: None)
    return credentials


@given(weights=st.lists(st.integers(1, 20), min_size=1, max_size=5))
def test_over_a_round_everybody_has_their_share(weights: list[int]):
    credentials = using(*(held(f"sk-{n}", weight=weight) for n, weight in enumerate(weights)))
    used = Counter(credentials.first().secret for _ in range(sum(weights)))
    assert used == {f"sk-{n}": weight for n, weight in enumerate(weights)}


def test_turns_are_spread():
    credentials = using(held("a", weight=3), held("b"))
    used = "".join(credentials.first().secret or "" for _ in range(8))
    assert "bb" not in used
    assert "aaaa" not in used


def test_what_stays_keeps_resting_and_what_is_new_does_not():
    credentials = using(held("a"), held("b"))
    resting = next(one for one in credentials if one.secret == "a")
    resting.rest(60)
    credentials.use("openai", [held("a", weight=3), held("b")], lambda one, error: None)
    assert {credentials.first().secret for _ in range(5)} == {"b"}
    credentials.use("openai", [held("new", id="a")], lambda one, error: None)
    assert credentials.first().secret == "new"


def test_a_job_is_asked_after_with_the_credential_that_began_it():
    credentials = using(held("operators"), held("own", tenant="acme"), held("other", tenant="umbrella"))
    mark = {one.secret: one.mark for one in (Credential(s) for s in ("operators", "own", "other"))}

    def asked(tenant: str, which: str) -> list[str | None]:
        return [one.secret for one in credentials.marked(tenant, which)]

    assert asked("acme", mark["own"]) == ["own"]
    assert asked("acme", mark["operators"]) == ["operators"], "it began before the tenant had its own"
    assert asked("acme", mark["other"]) == ["own"], "never another tenant's"
    assert asked("acme", "") == ["own"]
    assert asked("nobody", "") == ["operators"]


def test_without_any_it_says_how_to_get_one():
    with pytest.raises(ProviderError, match="gateway credentials add openai") as missing:
        using().first()
    assert missing.value.can_fall_back
