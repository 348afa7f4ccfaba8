"""Receipts in answers, and what becomes of chains with which somebody has meddled."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import OKPKey
from sqlalchemy import delete, text, update

from gateway import Gateway
from gateway.errors import GatewayError
from gateway.sdk.receipts import Chains, Facts, hash_of, verify
from gateway.store import Database
from gateway.store.tables import model_calls
from gateway.testing.fakes import FakeProvider, plugin_with
from gateway_receipts import Receipts
from gateway_receipts.chain import receipts_of
from gateway_receipts.commands import commands
from gateway_receipts.keys import Signer
from gateway_receipts.tables import chains, receipts

KEY = "bm90LWEtcmVhbC1rZXktYnV0LTMyLWJ5dGVzLWxvbmc"
OTHER = "YW5vdGhlci1rZXktdGhhdC1pcy0zMi1ieXRlcy1sbmc"
JWKS = Signer(KEY, ()).public
ASKED = {"x-gateway-receipt": "1"}


@asynccontextmanager
async def serving(url: str, **settings: Any) -> AsyncGenerator[Any]:
    """A client of a gateway with a provider of our own."""
    fake = plugin_with("provider.fake", register_providers=[FakeProvider()])
    config: dict[str, Any] = {
        "gateway": {
            "database": url,
            "prices": {"unknown": "fallback", "fallback_input": "1", "fallback_output": "1"},
        },
        "provider": {"fake": {}},
        "service": {"receipts": {"key": KEY, **settings}},
    }
    gateway = Gateway.from_dict(config, plugins=[Receipts, fake])
    async with gateway.lifespan(), gateway.client as client:
        yield client


async def ask(client: Any, model: str = "fake/good", path: str = "/v1/chat/completions", **more: Any) -> Any:
    headers = more.pop("headers", ASKED)
    body = {"model": model, "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}], **more}
    return await client.post(path, json=body, headers=headers)


def read(receipt: str) -> Facts:
    return Chains(JWKS).add(receipt)


async def test_a_receipt_says_what_the_ledger_says(database_url: str) -> None:
    async with serving(database_url) as client:
        answer = await ask(client)
        receipt = answer.headers["x-gateway-receipt"]
        facts = read(receipt)
        assert facts.request == answer.headers["x-request-id"]
        assert (facts.number, facts.previous, facts.model, facts.provider) == (1, None, "fake/good", "fake")
        usage = answer.json()["usage"]
        assert facts.usage["prompt_tokens"] == usage["prompt_tokens"]
        assert facts.charge is not None
        assert int(facts.charge) == 1000 * (usage["prompt_tokens"] + usage["completion_tokens"])
        stream = (await ask(client, stream=True)).text
        assert stream.rstrip().splitlines()[-3] == "data: [DONE]"
        other = stream.rstrip().splitlines()[-1].removeprefix(": gateway-receipt ")
        messages = await ask(client, path="/v1/messages", stream=True)
        third = messages.text.rstrip().splitlines()[-1].removeprefix(": gateway-receipt ")
        assert verify([receipt, other, third], JWKS, whole=True) is None


async def test_workers_that_give_receipts_at_once_make_one_chain(database_url: str) -> None:
    async with serving(database_url) as one, serving(database_url) as two:
        answers = await asyncio.gather(*(ask(client) for client in (one, two) for _ in range(8)))
    given = {read(answer.headers["x-gateway-receipt"]).number: answer for answer in answers}
    assert sorted(given) == list(range(1, 17))
    ordered = [given[number].headers["x-gateway-receipt"] for number in sorted(given)]
    assert verify(ordered, JWKS, whole=True) is None


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'gateway.db'}"


async def test_who_does_not_ask_gets_none_but_where_the_config_says_so(url: str) -> None:
    async with serving(url) as client:
        assert "x-gateway-receipt" not in (await ask(client, headers={})).headers
        assert "gateway-receipt" not in (await ask(client, headers={}, stream=True)).text
        assert "x-gateway-receipt" not in (await ask(client, headers={"x-gateway-receipt": "0"})).headers
    async with serving(url, tenants=["default"]) as client:
        assert "x-gateway-receipt" in (await ask(client, headers={})).headers
    async with serving(url, tenants=["another"]) as client:
        assert "x-gateway-receipt" not in (await ask(client, headers={})).headers
        assert "x-gateway-receipt" in (await ask(client)).headers


async def test_what_fails_has_no_receipt(url: str) -> None:
    async with serving(url) as client:
        refused = await ask(client, "fake/fail")
        assert (refused.status_code, "x-gateway-receipt" in refused.headers) == (429, False)
        assert (await ask(client, "nowhere/to-be-found")).status_code == 404
        assert read((await ask(client)).headers["x-gateway-receipt"]).number == 1


async def test_an_answer_is_given_even_where_its_receipt_cannot_be(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(url) as client:
        database = Database(url)
        async with database.begin() as connection:
            await connection.execute(text("DROP TABLE receipts"))
        await database.close()
        answer = await ask(client)
        assert (answer.status_code, "x-gateway-receipt" in answer.headers) == (200, False)
        assert (await ask(client, stream=True)).text.endswith("data: [DONE]\n\n")
    assert "no receipt could be given" in caplog.text


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with four receipts, to be copied."""
    path = tmp_path_factory.mktemp("receipts") / "gateway.db"

    async def fill() -> None:
        async with serving(f"sqlite:///{path}") as client:
            for _ in range(4):
                await ask(client)

    asyncio.run(fill())
    return path


async def _meddle(url: str, *statements: Any) -> None:
    database = Database(url)
    async with database.begin() as connection:
        for statement in statements:
            await connection.execute(statement)
    await database.close()


async def _kept(url: str) -> list[str]:
    database = Database(url)
    kept = [row.receipt async for row in receipts_of(database, "default")]
    await database.close()
    return kept


def _verified(url: str, *arguments: str) -> str:
    result = CliRunner().invoke(commands(Database(url), JWKS), ["verify", "--account", "default", *arguments])
    return result.output if result.exception is None else str(result.exception)


@pytest.mark.parametrize(
    ("meddling", "problem"),
    [
        (None, "is whole: 4 receipts"),
        (delete(receipts).where(receipts.c.number == 2), "it is number 3 of its account, and should be 2"),
        (delete(receipts).where(receipts.c.number == 4), "its last receipt was number 4"),
        (update(chains).values(number=3), "The end of the chain of 'default' is missing"),
        (update(model_calls).values(charge=1), "the ledger says something else of the call"),
        (delete(model_calls), "the ledger holds no such call"),
        (
            update(receipts).where(receipts.c.number == 3).values(receipt="e30.e30.e30"),
            "Receipt 3 of 'default', for call_",
        ),
    ],
)
def test_meddling_with_a_chain_is_found(url: str, filled: Path, meddling: Any, problem: str) -> None:
    shutil.copy(filled, url.removeprefix("sqlite:///"))
    if meddling is not None:
        asyncio.run(_meddle(url, meddling))
    assert problem in _verified(url)


def test_a_client_shows_a_receipt_that_the_chain_does_not_hold_any_more(
    url: str, filled: Path, tmp_path: Path
) -> None:
    (tmp_path / "kept").write_text(asyncio.run(_kept(f"sqlite:///{filled}"))[-1])
    shutil.copy(filled, url.removeprefix("sqlite:///"))
    cut = delete(receipts).where(receipts.c.number == 4)
    shorter = asyncio.run(_kept(url))[2]
    end = update(chains).values(number=3, hash=hash_of(shorter))  # cut without a trace in the database itself
    asyncio.run(_meddle(url, cut, end))
    assert "is whole: 3 receipts" in _verified(url)
    assert "does not hold the receipt" in _verified(url, str(tmp_path / "kept"))


def test_a_chain_is_listed_to_be_verified_elsewhere(filled: Path, tmp_path: Path) -> None:
    group = commands(Database(f"sqlite:///{filled}"), JWKS)
    listed = CliRunner().invoke(group, ["list", "default"]).output
    assert verify(listed.splitlines(), JWKS, whole=True) is None
    (tmp_path / "chain").write_text(listed)
    (tmp_path / "keys").write_text(json.dumps(Signer(OTHER, ()).public))
    result = CliRunner().invoke(group, ["verify", str(tmp_path / "chain"), "--keys", str(tmp_path / "keys")])
    assert "its signature is not that of any of the keys" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["nowhere"], "nowhere cannot be read: No such file or directory"),
        (["bytes"], "bytes is not text in UTF-8"),
        (["empty", "--keys", "empty"], "empty is not a JWK set"),
        (["empty"], "0 receipts are good"),
        ([], "give files, or --account TENANT"),
        (["--account", "nobody"], "No receipts were given to 'nobody'"),
    ],
)
def test_what_cannot_be_verified_is_said(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bytes").write_bytes(b"\xff")
    Path("empty").write_text("")
    group = commands(Database(f"sqlite:///{filled}"), JWKS)
    result = CliRunner().invoke(group, ["verify", *arguments])
    assert problem in result.output + str(result.exception)


def test_keys() -> None:
    seed = Ed25519PrivateKey.generate()
    pem = seed.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    old: dict[str, Any] = OKPKey.generate_key("Ed25519").as_dict(private=False)
    public = Signer(pem, [old]).public["keys"]
    assert [set(key) for key in public] == [{"kty", "crv", "x", "kid", "alg", "use"}] * 2
    assert json.loads(json.dumps(public)) == public
    assert Signer(pem, ()).public["keys"] == public[:1]
    secret: dict[str, Any] = OKPKey.generate_key("Ed25519").as_dict(private=True)
    with pytest.raises(ValueError, match="holds the private part"):
        Signer(pem, [secret])
    with pytest.raises(ValueError, match="not the public JWK"):
        Signer(pem, [{"kty": "OKP"}])


def test_a_key_that_is_none_is_said_so_without_being_shown() -> None:
    with pytest.raises(GatewayError) as told:
        Gateway.from_dict({"service": {"receipts": {"key": "hunter2"}}}, plugins=[Receipts])
    assert "openssl genpkey -algorithm ed25519" in str(told.value)
    assert "hunter2" not in str(told.value)
