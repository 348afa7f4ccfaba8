"""`gateway calls` and `gateway db`, on a ledger whose gateway is down."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway import store
from gateway.cli import main
from gateway.ledger import Ledger
from gateway.store import Database
from gateway.types import Call, Outcome, Principal, Usage

URL = "sqlite:///gateway.db"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GATEWAY_CONFIG", raising=False)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(tmp_path)
    Path("plugins.toml").write_text(f'[gateway]\ndatabase = "{URL}"\n[provider.mock]\n')


@pytest.fixture
def calls(make_call: Callable[..., Call], make_outcome: Callable[..., Outcome]) -> list[Call]:
    """One call of each kind, the oldest first."""
    other = Principal(tenant="other", authenticator="test", key="key_2", key_name="server")
    calls = [
        make_call(id="01a", received_at=1_700_000_000.0, client_request_id="mine"),
        make_call(id="01b", model="fast\x1b]0;owned\x07", principal=other),
        make_call(id="01c"),
        make_call(id="01d"),
    ]
    error = {
        "error_code": "upstream_cut",
        "error_message": "It broke \x1b[31moff.",
        "usage": None,
        "cost": None,
    }
    outcomes = [make_outcome(ended_at=1_700_000_001.0), make_outcome(status="failed", **error)]
    used = Usage(prompt_tokens=5, completion_tokens=3, searches=2, images=1)
    outcomes.append(make_outcome(status="cancelled", usage=used))

    async def fill() -> None:
        database = Database(URL)
        ledger = Ledger(database)
        await ledger.start()
        for call in calls:
            await ledger.open(call)
        for call, outcome in zip(calls, outcomes, strict=False):
            ledger.settle(call, outcome)
        await ledger.stop()
        await database.close()

    asyncio.run(fill())
    return calls


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def listed(*arguments: str) -> list[str]:
    result = run("calls", "--json", *arguments)
    assert result.exit_code == 0, result.output
    return [json.loads(line)["id"] for line in result.output.splitlines()]


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ([], ["01d", "01c", "01b", "01a"]),
        (["--limit", "2"], ["01d", "01c"]),
        (["--tenant", "other"], ["01b"]),
        (["--key", "key_2"], ["01b"]),
        (["--key", "laptop"], ["01d", "01c", "01a"]),
        (["--model", "mock/fast", "--status", "success"], ["01a"]),
        (["--status", "processing"], ["01d"]),
        (["--since", "1h"], ["01d", "01c", "01b"]),
        (["--since", "2023-11-14"], ["01d", "01c", "01b", "01a"]),
        (["--client-request-id", "mine"], ["01a"]),
        (["--client-request-id", "'; DROP TABLE model_calls; --"], []),
    ],
)
def test_calls_are_listed_newest_first(options: list[str], ids: list[str]):
    assert listed(*options) == ids


@pytest.mark.usefixtures("calls")
def test_a_row_tells_all_there_is_to_know():
    record = json.loads(run("calls", "--json", "--client-request-id", "mine").output)
    assert list(record) == [
        *(
            "id",
            "request_id",
            "client_request_id",
            "tenant",
            "user",
            "key",
            "key_name",
            "capability",
            "dialect",
        ),
        *(
            "model",
            "stream",
            "provider",
            "upstream_model",
            "status",
            "attempts",
            "http_status",
            "prompt_tokens",
        ),
        *(
            "completion_tokens",
            "cached_read_tokens",
            "cached_write_tokens",
            "reasoning_tokens",
            "units",
            "estimated",
            "cost",
        ),
        *(
            "cost_nano",
            "charge_nano",
            "price_version",
            "error",
            "received_at",
            "first_byte_at",
            "ended_at",
            "duration_ms",
        ),
    ]
    assert (record["cost"], record["cost_nano"]) == (0.0000015, 1500)
    assert (record["received_at"], record["duration_ms"]) == ("2023-11-14T22:13:20.000Z", 1000.0)
    failed = json.loads(run("calls", "--json", "--status", "failed").output)
    assert failed["error"]["code"] == "upstream_cut"
    assert failed["prompt_tokens"] is failed["cost"] is failed["cost_nano"] is None


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize("width", [40, 80, 100, 120, 160])
def test_the_table_fits_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", str(width))
    result = run("calls")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert len(lines) == 5
    assert max(map(len, lines)) <= width
    heading = lines[0].split()
    assert ("cost" in heading, "by" in heading, "error" in heading) == (
        width >= 100,
        width >= 120,
        width >= 140,
    )


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize("command", [["calls"], ["calls", "show", "01b"]])
def test_what_clients_wrote_does_nothing_to_the_terminal(command: list[str]):
    output = run(*command).output
    assert "fast\ufffd]0;owned" in output
    assert "\x1b" not in output
    assert "\x07" not in output


@pytest.mark.usefixtures("calls")
def test_what_was_used_beside_text_is_shown():
    assert json.loads(run("calls", "--json", "--status", "cancelled").output)["units"] == {
        "searches": 2,
        "images": 1,
    }
    (units,) = [line for line in run("calls", "show", "01c").output.splitlines() if line.startswith("units")]
    assert {one.strip() for one in units.removeprefix("units").split(",")} == {"2 searches", "1 images"}


@pytest.mark.usefixtures("calls")
def test_one_call_is_shown():
    output = run("calls", "show", "01a").output
    assert "mock/fast" in output
    assert "0.0000015" in output
    assert json.loads(run("calls", "show", "01a", "--json").output)["id"] == "01a"
    assert "upstream_cut: It broke" in run("calls", "show", "01b").output


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize(
    ("prefix", "problem"), [("02", "No call"), ("01", "Several calls"), ("%", "No call")]
)
def test_an_id_that_names_no_one_call_is_an_error(prefix: str, problem: str):
    result = run("calls", "show", prefix)
    assert result.exit_code == 1
    assert problem in result.output


def test_before_the_first_start_there_are_no_calls_and_no_file_is_made():
    for options, output in (([], "No calls yet.\n"), (["--json"], "")):
        result = run("calls", *options)
        assert (result.exit_code, result.output) == (0, output)
    result = run("calls", "show", "01")
    assert result.exit_code == 1
    assert "holds no ledger yet" in result.output
    assert not Path("gateway.db").exists()


def test_a_narrow_table_shortens_ids_to_what_show_understands(
    make_call: Callable[..., Call], monkeypatch: pytest.MonkeyPatch
):
    async def fill() -> None:
        database = Database(URL)
        ledger = Ledger(database)
        await ledger.start()
        for end in ("0000001", "0000002"):
            await ledger.open(make_call(id=f"call_019a5b3c7e12aabbccddee{end}", model="mock/some-model"))
        await ledger.stop()
        await database.close()

    asyncio.run(fill())
    monkeypatch.setenv("COLUMNS", "60")
    output = run("calls").output
    for part in ("…e0000001", "…e0000002", "processing", "mock/some-model"):
        assert part in output
    for part in ("…e0000002", "e0000002", "call_019a5b3c7e12aabbccddee0000002"):
        assert json.loads(run("calls", "show", part, "--json").output)["id"].endswith("2")
    assert "Several calls" in run("calls", "show", "call_019a").output
    monkeypatch.setenv("COLUMNS", "80")
    assert "call_019a5b3c7e12aabbccddee0000002" in run("calls").output


def test_a_long_name_is_cut_before_anything_else(
    make_call: Callable[..., Call], monkeypatch: pytest.MonkeyPatch
):
    async def fill() -> None:
        database = Database(URL)
        ledger = Ledger(database)
        await ledger.start()
        await ledger.open(make_call(id="call_019a5b3c7e12aabbccddee0000001", model="mock/" + "long" * 50))
        await ledger.stop()
        await database.close()

    asyncio.run(fill())
    for width in (50, 80, 120, 200):
        monkeypatch.setenv("COLUMNS", str(width))
        heading, line = run("calls").output.splitlines()
        assert {"id", "status", "model", "took"} <= set(heading.split())
        assert "…e0000001  processing  mock/long" in line
        assert line.count("…") == 2
        assert len(line) <= width


def test_a_database_that_is_away_is_named_without_its_password():
    Path("plugins.toml").write_text('[gateway]\ndatabase = "postgresql://ann:secret@127.0.0.1:1/gw"\n')
    result = run("calls")
    assert result.exit_code == 1
    assert "postgresql://ann@127.0.0.1:1/gw" in result.output
    assert "secret" not in result.output
    assert run("db", "url").output == "postgresql://ann@127.0.0.1:1/gw\n"


def test_a_database_is_upgraded_and_checked():
    assert run("db", "url").output == f"sqlite:///{Path.cwd() / 'gateway.db'}\n"
    newest = len(list((Path(store.__file__).parent / "migrations").glob("0*.py")))
    assert run("db", "current").output == f"gateway {newest:04} (has not run: gateway db upgrade)\n"
    assert run("db", "check").exit_code == 1
    assert run("db", "upgrade").output == "".join(
        f"Ran gateway {number:04}.\n" for number in range(1, newest + 1)
    )
    assert run("db", "upgrade").output == "The database is up to date.\n"
    assert run("db", "current").output == f"gateway {newest:04}\n"
    assert run("db", "check").exit_code == 0
    connection: Any = sqlite3.connect("gateway.db")
    connection.execute("DROP TABLE outbox")
    connection.close()
    result = run("db", "check")
    assert result.exit_code == 1
    assert "outbox" in result.output


@pytest.mark.usefixtures("calls")
def test_no_calls_is_not_an_error():
    result = run("calls", "--tenant", "nobody")
    assert (result.exit_code, result.output) == (0, "No calls.\n")
    assert run("calls", "--tenant", "nobody", "--json").output == ""
