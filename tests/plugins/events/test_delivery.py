"""Sinks of a running gateway, and `gateway events`, as typed."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway import Gateway
from gateway.cli import main
from gateway.errors import ConfigError
from gateway.testing.fakes import plugin_context
from gateway.testing.upstream import FakeUpstream, Reply
from gateway_events.nats_stream import Nats
from gateway_events.plugin import EventSink
from gateway_events.rabbitmq import RabbitMQ
from gateway_events.redis_stream import Redis

CHAT = {"model": "mock/fast", "messages": [{"role": "user", "content": "Hello?"}]}
CALLS = 3
CONFIG = """
[gateway]
database = "sqlite:///{folder}/gateway.db"
[provider.mock]
[sink.file]
path = "{folder}/events.jsonl"
[sink.webhook]
url = "{upstream}/usage"
secrets = ["whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]
[sink.redis]
url = "redis://127.0.0.1:9/0"
[sink.nats]
url = "nats://127.0.0.1:9"
[sink.rabbitmq]
url = "amqp://guest:not-a-real-password@127.0.0.1:9/"
"""
BROKERS = ("nats", "rabbitmq", "redis")


def write_config(folder: Path, upstream: str) -> Path:
    path = folder / "plugins.toml"
    path.write_text(CONFIG.format(folder=folder, upstream=upstream))
    return path


def lines(folder: Path) -> list[str]:
    path = folder / "events.jsonl"
    return [json.loads(line)["id"] for line in path.read_text().splitlines()] if path.exists() else []


async def serve(config: Path, calls: int, *, until: Any) -> None:
    """Run the gateway, make calls, and go on until something is so."""
    gateway = Gateway.from_file(config)
    async with asyncio.timeout(90), gateway.lifespan(), gateway.client as client:
        for _ in range(calls):
            response = await client.post("/v1/chat/completions", json=CHAT)
            assert response.status_code == 200, response.text
        while not until():
            await asyncio.sleep(0.02)


def run(config: Path, *arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["-c", str(config), "events", *arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def status(config: Path) -> dict[str, dict[str, Any]]:
    states = [json.loads(line) for line in run(config, "status", "--json").stdout.splitlines()]
    return {state["sink"]: state for state in states}


def failing(folder: Path) -> set[str]:
    with closing(sqlite3.connect(folder / "gateway.db", isolation_level=None)) as database:
        return {
            sink for (sink,) in database.execute("SELECT sink FROM sink_states WHERE failed_at IS NOT NULL")
        }


def test_sinks_that_are_away_lose_nothing_and_hinder_none(tmp_path: Path):
    config = write_config(tmp_path, "http://127.0.0.1:9")
    away = {*BROKERS, "webhook"}
    asyncio.run(
        serve(config, CALLS, until=lambda: len(lines(tmp_path)) == CALLS and failing(tmp_path) == away)
    )
    states = status(config)
    assert set(states) == {*away, "file"}
    assert (states["file"]["delivered"], states["file"]["waiting"]) == (CALLS, 0)
    for name in away:
        assert (states[name]["waiting"], states[name]["delivered"], states[name]["dead"]) == (CALLS, 0, 0)
        assert states[name]["lag"] > 0
        assert states[name]["error"]
        assert "not-a-real-password" not in states[name]["error"]
    assert "webhook" in run(config, "status").stdout

    received: list[str] = []
    asyncio.run(receive(tmp_path, [Reply(status=204)], received))
    assert sorted(received) == sorted(lines(tmp_path))
    assert status(config)["webhook"]["waiting"] == 0

    replays(config, tmp_path)


async def receive(folder: Path, replies: Sequence[Reply], ids: list[str]) -> None:
    async with FakeUpstream() as upstream:
        upstream.reply(*replies)
        await serve(write_config(folder, upstream.url), 0, until=lambda: len(upstream.requests) == CALLS)
        ids += [request.headers["webhook-id"] for request in upstream.requests]


def replays(config: Path, folder: Path) -> None:
    calls = lines(folder)
    assert (
        "2 calls go to file again" in run(config, "replay", "file", "--id", calls[0], "--id", calls[1]).stdout
    )
    assert "1 call goes to file again" in run(config, "replay", "file", "--since", "1h").stdout, (
        "two wait already"
    )
    assert (
        "0 calls go to file again" in run(config, "replay", "file", "--since", "2h", "--until", "1h").stdout
    )
    with closing(sqlite3.connect(folder / "gateway.db", isolation_level=None)) as database:
        letter = ("webhook", calls[2], 12, "example.com answered with HTTP 500", 1_800_000_000.0)
        database.execute("INSERT INTO dead_letters VALUES (?, ?, ?, ?, ?)", letter)
    (dead,) = (json.loads(line) for line in run(config, "dead", "--json").stdout.splitlines())
    assert (dead["sink"], dead["call"], dead["attempts"]) == letter[:3]
    assert run(config, "dead", "--sink", "file").stdout == "No dead letters.\n"
    assert status(config)["webhook"]["dead"] == 1
    assert "1 call goes to webhook again" in run(config, "replay", "webhook", "--dead").stdout
    states = status(config)
    assert (states["webhook"]["dead"], states["webhook"]["waiting"], states["file"]["waiting"]) == (0, 1, 3)
    audit = CliRunner().invoke(
        main, ["-c", str(config), "audit", "list", "--json", "--action", "events.replay"]
    )
    assert len(audit.stdout.splitlines()) == 4
    assert "say which calls" in run(config, "replay", "file", code=2).stderr
    assert "say which calls" in run(config, "replay", "file", "--dead", "--since", "1h", code=2).stderr
    assert (
        "--until goes with --since" in run(config, "replay", "file", "--dead", "--until", "1h", code=2).stderr
    )
    assert "There are: file, nats" in run(config, "replay", "other", "--dead", code=1).stderr


@pytest.mark.parametrize(
    ("plugin", "package", "url", "extra"),
    [
        (Redis, "redis.asyncio", "redis://127.0.0.1:9", "redis"),
        (Nats, "nats", "nats://127.0.0.1:9", "nats"),
        (RabbitMQ, "aio_pika", "amqp://127.0.0.1:9", "rabbitmq"),
    ],
)
def test_a_missing_package_is_named_with_what_brings_it(
    plugin: type[EventSink[Any]],
    package: str,
    url: str,
    extra: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setitem(sys.modules, package, None)
    config = plugin.Config.model_validate({"url": url})
    with pytest.raises(ConfigError, match=rf"pip install 'asgi-gateway\[{extra}\]'"):
        plugin("events", config, plugin_context(tmp_path))


def test_what_is_wrong_with_a_url_or_a_secret_is_said_without_repeating_it(tmp_path: Path):
    config = tmp_path / "plugins.toml"
    config.write_text("""
[provider.mock]
[sink.redis]
url = "http://ann:not-to-be-shown@127.0.0.1"
[sink.nats]
url = "http://ann:not-to-be-shown@127.0.0.1"
[sink.rabbitmq]
url = "http://ann:not-to-be-shown@127.0.0.1"
[sink.webhook]
url = "http://127.0.0.1/"
secrets = ["not-to-be-shown"]
""")
    result = CliRunner().invoke(main, ["-c", str(config), "check"])
    assert result.exit_code == 2
    assert "begins with redis:// or rediss://" in result.output
    assert "begins with nats:// or tls://" in result.output
    assert "begins with amqp:// or amqps://" in result.output
    assert "a secret of webhooks is whsec_ and base64" in result.output
    assert "not-to-be-shown" not in result.output
