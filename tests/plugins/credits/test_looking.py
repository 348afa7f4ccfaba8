"""The admin API and the commands: who sees what, and who may give."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from gateway.cli import main
from gateway.store.audit import Actor
from gateway.store.tenants import create_tenant
from gateway.types import NANO
from gateway_credits.account import Account

from .shop import PRICE, shop, who

READER, OPERATOR = "billing.read", "gateway.billing"
TESTS = Actor(kind="gateway", id="tests")
LISTS = ("accounts", "grants", "transactions")


async def test_a_tenant_sees_its_own_and_operators_give(sqlite_url: str) -> None:
    async with shop(sqlite_url) as open_shop:
        client, api = open_shop.client, "/admin/api/credits"
        grant = {"tenant": "acme", "amount": "7.5", "kind": "promotional", "reference": "gift-1"}
        operator = who("default", "usr_op", OPERATOR)
        await create_tenant(open_shop.book.database, "acme", actor=TESTS)
        nobody = await client.post(f"{api}/grants", json={**grant, "tenant": "acne"}, headers=operator)
        assert (nobody.status_code, nobody.headers["content-type"]) == (404, "application/problem+json")
        assert "no tenant 'acne', did you mean 'acme'?" in nobody.json()["detail"]
        for done in (True, False):
            answer = await client.post(f"{api}/grants", json=grant, headers=operator)
            assert (answer.status_code, answer.json()) == (201, {"done": done, "amount": "7.5"})
        for headers in (who("acme", "usr_ann", READER), who("acme", "usr_ann", "billing.manage")):
            refused = await client.post(f"{api}/grants", json=grant, headers=headers)
            assert refused.status_code == 403
        await open_shop.book.grant("acme", 5 * PRICE, kind="paid", reference="order-1")
        assert (await open_shop.call()).status_code == 200
        assert await open_shop.balance() == 7_500_000_000 + 4 * PRICE

        ours, theirs = who("acme", "usr_ann", READER), who("other", "usr_eve", READER)
        shown = (await client.get(f"{api}/balance", headers=ours)).json()
        assert (shown["balance"], shown["held"], shown["available"]) == ("27.5", "0", "27.5")
        assert shown["days_left"] == 38.5
        found = {name: (await client.get(f"{api}/{name}", headers=ours)).json()["data"] for name in LISTS}
        assert [row["amount"] for row in found["transactions"]] == ["-5", "25", "7.5"]
        assert [(row["kind"], row["remaining"]) for row in found["grants"]] == [
            ("paid", "25"),
            ("promotional", "2.5"),
        ]
        first = (await client.get(f"{api}/transactions?limit=1", headers=ours)).json()
        second = await client.get(
            f"{api}/transactions", params={"limit": 1, "cursor": first["next_cursor"]}, headers=ours
        )
        assert second.json()["data"] == found["transactions"][1:2]
        nothing = (await client.get(f"{api}/balance", headers=theirs)).json()
        assert (nothing["balance"], nothing["days_left"]) == ("0", None)
        for name in LISTS:
            assert (await client.get(f"{api}/{name}", headers=theirs)).json()["data"] == []
            assert (await client.get(f"{api}/{name}", headers=who())).status_code == 403

        refund = {"tenant": "acme", "call": found["transactions"][0]["id"]}
        stranger = await client.post(f"{api}/refunds", json={**refund, "tenant": "other"}, headers=operator)
        assert stranger.status_code == 404
        answer = await client.post(f"{api}/refunds", json=refund, headers=operator)
        assert answer.json() == {"done": True, "amount": "5"}
        assert (await open_shop.book.balance(Account("acme"))).balance == 7_500_000_000 + 5 * PRICE


def test_the_commands(sqlite_url: str, tmp_path: Path) -> None:
    config = tmp_path / "plugins.toml"
    config.write_text(f'[gateway]\ndatabase = "{sqlite_url}"\n[provider.mock]\n[billing.credits]\n')

    def run(*arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(main, ["-c", str(config), "credits", *arguments])
        assert done.exit_code == code, done.output
        return done.output

    for tenant in ("acme", "other"):
        made = CliRunner().invoke(main, ["-c", str(config), "tenants", "create", tenant])
        assert made.exit_code == 0, made.output
    assert "no tenant 'acne', did you mean 'acme'?" in run("grant", "acne", "12.5", code=2)
    assert "`gateway tenants create nobody`" in run("grant", "nobody/usr_ann", "12.5", code=2)
    assert "0 credits" in run("balance", "acne")
    assert "Granted 12.5 to acme." in run("grant", "acme", "12.5", "--reference", "r", "--days", "30")
    assert "done before" in run("grant", "acme", "12.5", "--reference", "r")
    assert "did you mean 'other'?" in run("transfer", "acme", "othr", "2.5", code=2)
    assert "Moved 2.5" in run("transfer", "acme", "other", "2.5")
    assert json.loads(run("balance", "acme", "--json"))["balance_nano"] == 10 * NANO
    assert "other: 2.5 credits" in run("balance", "other")
    assert [json.loads(line)["amount"] for line in run("history", "acme", "--json").splitlines()] == [
        "-2.5",
        "12.5",
    ]
    assert "no amount" in run("grant", "acme", "much", code=2)
    assert json.loads(run("verify", "--json")) == {"ok": True, "problems": []}
    assert "The books are right." in run("verify")
