"""What a tenant sees of its invoices, and what an operator does: through a running gateway and on the command line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import insert
from starlette.testclient import TestClient

from gateway import Gateway
from gateway.cli import main
from gateway.plugin import Plugin, PluginConfig, hookimpl
from gateway.protocols import Authenticator, Incoming
from gateway.store import Database
from gateway.types import Principal
from gateway_invoices import Invoices
from gateway_invoices.commands import commands
from gateway_invoices.exporting import Exporter
from gateway_invoices.plugin import MIGRATIONS
from gateway_invoices.tables import runs

from .ledger import add_call, add_tenant, at, book_of
from .samples import config, seller


class Anybody(Plugin[PluginConfig]):
    """Believes `Authorization: TENANT PERMISSION…`."""

    id = "auth.anybody"

    @hookimpl
    def register_authenticators(self) -> Sequence[Authenticator]:
        return (self,)

    async def authenticate(self, incoming: Incoming) -> Principal | None:
        tenant, *scopes = incoming.headers[b"authorization"].decode().split()
        return Principal(tenant=tenant, authenticator="anybody", user="usr_ann", scopes=frozenset(scopes))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    path: Path = tmp_path_factory.mktemp("invoices") / "gateway.db"
    gateway = Gateway.from_dict(
        {
            "gateway": {"database": f"sqlite:///{path}"},
            "auth": {"anybody": {}},
            "billing": {"invoices": {"entities": {"main": seller(credit_price=1)}}},
        },
        plugins=[Anybody, Invoices],
    )
    with TestClient(gateway, base_url="http://gateway/admin/api") as client:
        assert client.portal is not None
        for tenant in ("acme", "globex"):
            client.portal.call(lambda tenant=tenant: add_tenant(gateway._context.database, tenant))
            client.portal.call(lambda tenant=tenant: add_call(gateway._context.database, tenant=tenant))
        yield client


def by(tenant: str, *scopes: str) -> dict[str, str]:
    return {"authorization": " ".join([tenant, *scopes])}


OPERATOR = by("default", "gateway.billing")
OCTOBER = {"first_day": "2026-10-01", "last_day": "2026-10-31"}


@pytest.fixture(scope="module")
def number(client: TestClient) -> str:
    draft = client.post("/all-invoices", json={"tenant": "acme", **OCTOBER}, headers=OPERATOR)
    assert draft.status_code == 201, draft.text
    path = f"/all-invoices/{draft.json()['id']}"
    assert client.get(f"{path}/file", params={"format": "html"}, headers=OPERATOR).status_code == 200
    assert (
        client.get(f"/invoices/{draft.json()['id']}", headers=by("acme", "billing.read")).status_code == 404
    )
    issued = client.post(f"{path}/issue", headers=OPERATOR)
    assert (issued.status_code, issued.json()["total"]) == (200, "1.19"), issued.text
    return issued.json()["number"]


def test_a_tenant_sees_its_own_and_no_other(client: TestClient, number: str):
    mine, others = by("acme", "billing.read"), by("globex", "billing.read")
    assert [row["number"] for row in client.get("/invoices", headers=mine).json()["data"]] == [number]
    assert client.get("/invoices", headers=others).json()["data"] == []
    shown = client.get(f"/invoices/{number}", headers=mine).json()
    assert (shown["net"], shown["tax"], shown["total"], shown["status"]) == ("1.00", "0.19", "1.19", "issued")
    for path in (f"/invoices/{number}", f"/invoices/{shown['id']}", f"/invoices/{number}/file"):
        assert client.get(path, headers=others).status_code == 404
        assert client.get(path, headers=by("acme", "usage.read")).status_code == 403
    assert client.get("/all-invoices", headers=mine).status_code == 403
    assert client.post(f"/all-invoices/{number}/void", headers=mine).status_code == 403


@pytest.mark.parametrize(
    ("form", "media", "begins"),
    [
        ("pdf", "application/pdf", b"%PDF-"),
        ("html", "text/html", b"<!doctype html>"),
        ("csv", "text/csv", b"\xef\xbb\xbfnumber,"),
        ("json", "application/json", b"{"),
    ],
)
def test_downloads(client: TestClient, number: str, form: str, media: str, begins: bytes):
    answer = client.get(
        f"/invoices/{number}/file", params={"format": form}, headers=by("acme", "billing.read")
    )
    assert answer.headers["content-type"].startswith(media)
    assert answer.headers["content-disposition"] == f'attachment; filename="{number}.{form}"'
    assert answer.content.startswith(begins)


def test_customer_data(client: TestClient):
    may = by("globex", "billing.read", "billing.manage")
    new = {"name": "Globex", "address": ["2 Example Road"], "country": "AT", "language": "ja"}
    assert client.put("/invoice-customer", json=new, headers=by("globex", "billing.read")).status_code == 403
    assert client.put("/invoice-customer", json={**new, "country": "Austria"}, headers=may).status_code == 422
    assert client.put("/invoice-customer", json=new, headers=may).status_code == 200
    assert client.get("/invoice-customer", headers=may).json().items() >= new.items()
    assert client.get("/invoice-customer", headers=by("nobody", "billing.read")).status_code == 404


def test_an_operator_pays_and_credits(client: TestClient, number: str):
    path = f"/all-invoices/{number}"
    assert client.post(f"{path}/pay", headers=OPERATOR).json()["status"] == "paid"
    too_fine = client.post(f"{path}/credit", json={"amount": "0.001", "reason": "r"}, headers=OPERATOR)
    assert (too_fine.status_code, "2 decimal places" in too_fine.text) == (400, True)
    note = client.post(f"{path}/credit", json={"reason": "goodwill"}, headers=OPERATOR).json()
    assert (note["number"], note["total"]) == ("CN-000001", "-1.19")
    assert client.post(f"{path}/void", headers=OPERATOR).status_code == 409
    found = client.get("/all-invoices", params={"customer": "acme"}, headers=OPERATOR)
    assert found.status_code == 200, found.text
    all_of_them = found.json()["data"]
    assert {row["number"] for row in all_of_them} == {number, "CN-000001"}


def test_from_draft_to_proof_on_the_command_line(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    import asyncio

    monkeypatch.chdir(tmp_path)
    database = Database(sqlite_url)

    async def prepare() -> None:
        await add_tenant(database)
        await add_call(database)
        await database.close()

    asyncio.run(prepare())
    group = commands(
        book_of(database, config(main=seller(credit_price=1))), Exporter(None), lambda: [MIGRATIONS]
    )

    def run(*words: str, code: int = 0) -> str:
        done: Any = CliRunner().invoke(group, words)
        assert done.exit_code == code, done.output
        return done.output

    assert json.loads(run("customer", "acme", "--language", "ja", "--tax-id", "DE1"))["language"] == "ja"
    run("add", "acme", "Plan", "49", "--currency", "USD", "--reference", "1", code=2)
    assert run("add", "acme", "Plan", "49", "--currency", "EUR", "--reference", "1") == "Added.\n"
    draft = json.loads(run("draft", "--all", "--month", "2026-10", "--json"))
    assert (draft["total"], draft["period_end"]) == ("59.50", "2026-10-31")
    assert run("issue", draft["id"]).startswith("INV-000001  issued  acme")
    assert run("draft", "--all", "--month", "2026-10").startswith("Nothing to draft")
    assert run("verify", "INV-000001") == "INV-000001 is right.\n"
    assert json.loads(run("verify", "INV-000001", "--json"))["problems"] == []
    assert run("export", "INV-000001") == "INV-000001.pdf\n"
    assert (tmp_path / "INV-000001.pdf").read_bytes().startswith(b"%PDF")
    assert "gpt-5 (openai)" in run("show", "INV-000001")
    assert "CN-000001" in run("credit", "INV-000001", "--amount", "9.50", "--reason", "late")
    assert len(run("list", "--tenant", "acme").splitlines()) == 3
    assert len(run("list", "--tenant", "acme", "--json").splitlines()) == 2
    assert "no invoices of acme that are void" in run("list", "--tenant", "acme", "--status", "void")
    asyncio.run(_late_call(database))
    assert "INV-000001: openai/gpt-5: 1000000000 nano-credits on the invoice" in run(
        "verify", "INV-000001", code=1
    )


async def _late_call(database: Database) -> None:
    await add_call(database)
    await database.close()


async def test_an_operator_sees_how_the_months_went(sqlite_url: str):
    database = Database(sqlite_url)
    for tenant in ("acme", "globex"):
        await add_tenant(database, tenant, entity=None if tenant == "acme" else "sold")
        await add_call(database, at("2026-01-10"), tenant=tenant)
    month = {"period_start": at("2026-01-01"), "period_end": at("2026-02-01"), "held_until": 0.0}
    async with database.begin() as connection:
        await connection.execute(insert(runs).values(**month, drafted=0))
    await database.close()
    invoices = {"entities": {"main": seller()}, "automatic": {}}
    gateway = Gateway.from_dict(
        {"gateway": {"database": sqlite_url}, "auth": {"anybody": {}}, "billing": {"invoices": invoices}},
        plugins=[Anybody, Invoices],
    )
    async with gateway.lifespan(), gateway.client as client:
        path = "/admin/api/invoice-runs"
        async with asyncio.timeout(60):
            while True:
                shown = (await client.get(path, params={"limit": 200}, headers=OPERATOR)).json()["data"]
                if shown[-1]["state"] == "done":
                    break
                await asyncio.sleep(0.05)
        assert shown[-1] | {"done_at": None} == {
            "month": "2026-01",
            "state": "done",
            "error": None,
            "drafted": 1,
            "failed": 1,
            "without_data": 0,
            "done_at": None,
        }
        months: list[str] = []
        page: dict[str, Any] = {"next_cursor": ""}
        while (cursor := page["next_cursor"]) is not None:
            params = {"limit": 3, **({"cursor": cursor} if cursor else {})}
            page = (await client.get(path, params=params, headers=OPERATOR)).json()
            months += [run["month"] for run in page["data"]]
        assert months == sorted(set(months), reverse=True)
        assert months[-1] == "2026-01"
        (acme, globex) = (await client.get(f"{path}/2026-01", headers=OPERATOR)).json()["data"]
        assert (acme["tenant"], acme["state"], acme["error"]) == ("acme", "draft", None)
        assert acme["invoice"].startswith("ivc_")
        assert (globex["tenant"], globex["state"], globex["invoice"]) == ("globex", "failed", None)
        assert "sold" in globex["error"]
        events = (await client.get("/admin/api/events", headers=by("default", "billing.read"))).json()["data"]
        assert [(event["kind"], event["data"]["state"]) for event in events[-1:]] == [
            ("invoice_run", "failed")
        ]
        for unknown in ("1999-01", "october"):
            assert (await client.get(f"{path}/{unknown}", headers=OPERATOR)).status_code == 404
        mine = by("acme", "billing.read")
        assert (await client.get("/admin/api/events", headers=mine)).json()["data"] == []
        for hidden in (path, f"{path}/2026-01"):
            assert (await client.get(hidden, headers=mine)).status_code == 403


def test_the_tables_of_all_books_are_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plans and credit may be new in the config, and nothing was served since."""
    monkeypatch.chdir(tmp_path)
    begun = '[provider.mock]\n[billing.invoices.entities.main]\nname = "X"\naddress = ["Y"]\ncountry = "DE"\n'

    def run(*words: str) -> str:
        done: Any = CliRunner().invoke(main, words)
        assert done.exit_code == 0, done.output
        return done.output

    (tmp_path / "plugins.toml").write_text(begun)
    run("tenants", "create", "acme")
    run("invoices", "customer", "acme", "--name", "Acme", "--address", "1 Example Road", "--country", "DE")
    (tmp_path / "plugins.toml").write_text(f"{begun}\n[billing.credits]\n[billing.subscription]\n")
    assert "USD 0.00" in run("invoices", "draft", "acme")


def test_who_cannot_be_drafted_for_keeps_nobody_else_from_a_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    entity = '[billing.invoices.entities.main]\nname = "X"\naddress = ["Y"]\ncountry = "DE"\n'
    plan = '[billing.subscription.plans.yen]\nname = "Yen"\nprice = "900"\ncurrency = "JPY"\n'
    (tmp_path / "plugins.toml").write_text(f"[provider.mock]\n{entity}{plan}")

    def run(*words: str) -> Any:
        return CliRunner().invoke(main, words)

    for tenant, sold in (("aa", "enterprise"), ("bb", "yen"), ("cc", "enterprise")):
        run("tenants", "create", tenant)
        run("invoices", "customer", tenant, "--name", tenant, "--address", "Road", "--country", "DE")
        assert run("subscriptions", "create", tenant, sold).exit_code == 0
    this_month = f"{datetime.now(UTC):%Y-%m}"
    for which in (["--all"], ["aa", "bb", "cc"]):
        done = run("invoices", "draft", *which, "--month", this_month)
        assert (done.exit_code, [line.split()[2] for line in done.stdout.splitlines()]) == (1, ["aa", "cc"])
        assert "no draft for bb: The plan 'Yen' is sold in JPY" in done.stderr
