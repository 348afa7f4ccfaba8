"""What it costs to know who calls: µs of CPU per request, for every authenticator.

    python benchmarks/auth.py [--rounds 5] [--json FILE]

Each plugin runs by itself on a database of its own, without HTTP around it. The last column sets the figure against SHA-256
of an API key in the same round: compare rows of one run, never of two.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwk, jwt

from gateway.identity import Actor
from gateway.identity.people import Client, Proof, Rules
from gateway.identity.sessions import Sessions
from gateway.plugin import Context, PluginConfig
from gateway.protocols import Authenticator, Incoming
from gateway.sdk.signing import Signer
from gateway.store.components import NewComponent, create_component
from gateway.store.journal import Journal
from gateway.store.keys import create_key
from gateway.store.migrate import upgrade
from gateway.testing.fakes import plugin_context
from gateway.testing.upstream import FakeUpstream, Reply
from gateway.types import RawHeaders
from gateway_apikey import ApiKey
from gateway_component import Component
from gateway_component.config import ComponentConfig
from gateway_jwt import Jwt
from gateway_jwt.config import JwtConfig

URL = "http://localhost:8080/v1/chat/completions"
BODY = b'{"model": "mock/echo", "messages": [{"role": "user", "content": "' + b"x" * 1600 + b'"}]}'
AUDIENCE = "https://gateway.example.com"
ACTOR = Actor(kind="command", id="benchmark")
SHA256 = "SHA-256 of a key"
TARGETS = {
    "API key": 5,
    "session, bearer": 10,
    "session, cookie": 10,
    "JWT, seen before": 10,
    "component": 150,
}
"""What we want to stay below, in µs."""
_TOGETHER = 32


class Request(Incoming):
    """A chat's head and body, with what an SDK sends besides."""

    method = "POST"
    path = "/v1/chat/completions"
    client = "127.0.0.1"

    def __init__(self, headers: Mapping[str, str]) -> None:
        usual = {"host": "localhost:8080", "user-agent": "OpenAI/Python 2", "accept": "application/json"}
        self.headers = {name.encode(): value.encode() for name, value in {**usual, **headers}.items()}

    @property
    def header_list(self) -> RawHeaders:
        return list(self.headers.items())

    @property
    def target(self) -> bytes:
        return b"/v1/chat/completions"

    async def body(self) -> bytes:
        return BODY


class Case(NamedTuple):
    """A way to be known, and the requests of one round."""

    name: str
    authenticator: Authenticator
    requests: Callable[[], Sequence[Request]]


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures of each round to this file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rounds = asyncio.run(measure(Path(folder), arguments.rounds))
    print("|  | CPU µs | SHA-256 = 1 | wanted |\n|---|---:|---:|---:|")
    for name in rounds[0]:
        micros = statistics.median(one[name] for one in rounds)
        ratio = statistics.median(one[name] / one[SHA256] for one in rounds)
        print(f"| {name} | {micros:.2f} | {ratio:.1f} | {TARGETS.get(name, '')} |")
    if arguments.json:
        arguments.json.write_text(json.dumps(rounds, indent=1))
    return 0


async def measure(folder: Path, rounds: int) -> list[dict[str, float]]:
    """Visit all cases in turn, round by round."""
    async with FakeUpstream() as upstream, cases(folder, upstream) as all_cases:
        results: list[dict[str, float]] = []
        for _ in range(rounds):
            found = {SHA256: _hashing()}
            for case in all_cases:
                found[case.name] = await _micros(case)
            results.append(found)
        return results


async def _micros(case: Case) -> float:
    requests = case.requests()
    start = time.process_time()
    if case.name == "component":  # nonces are written for many requests at once
        for first in range(0, len(requests), _TOGETHER):
            group = requests[first : first + _TOGETHER]
            assert all(await asyncio.gather(*map(case.authenticator.authenticate, group)))
    else:
        for request in requests:
            assert await case.authenticator.authenticate(request)
    return (time.process_time() - start) / len(requests) * 1e6


def _hashing(count: int = 50_000) -> float:
    key = b"gw_" + b"x" * 43
    start = time.process_time()
    for _ in range(count):
        hashlib.sha256(key).digest()
    return (time.process_time() - start) / count * 1e6


@asynccontextmanager
async def cases(folder: Path, upstream: FakeUpstream) -> AsyncGenerator[list[Case]]:
    """Start everything that is to be measured."""
    context = plugin_context(folder)
    await upgrade(context.database)
    journal = Journal(context.database)
    await journal.start()
    made = [
        await _key(context),
        *await _sessions(context),
        *await _tokens(context, upstream),
        await _component(context, journal),
    ]
    plugins = [case.authenticator for case in made]
    yield made
    for plugin in plugins:
        if isinstance(plugin, ApiKey | Component):
            await plugin.shutdown()
    await journal.stop(5)
    await context.changes.stop()
    await context.client.close()
    await context.database.close()


def _same(headers: Mapping[str, str], count: int = 50_000) -> Callable[[], Sequence[Request]]:
    request = Request(headers)
    return lambda: [request] * count


async def _key(context: Context) -> Case:
    _, key = await create_key(context.database, "benchmark", actor=ACTOR)
    plugin = ApiKey("apikey", PluginConfig(), context)
    await plugin.startup()
    return Case("API key", plugin, _same({"authorization": f"Bearer {key}"}))


async def _sessions(context: Context) -> list[Case]:
    sessions = Sessions(context.database, context.changes, Rules(sign_up="open"))
    await sessions.startup()
    proof = Proof(kind="oidc", subject="https://issuer.example.com alice", label="alice")
    access = (await sessions.sign_in(proof, method="oidc", client=Client())).access
    visitor = await sessions.visit({b"cookie": f"gateway_session={access}".encode()}, client=Client())
    assert visitor is not None
    cookie = {"cookie": f"theme=dark; gateway_session={access}", "x-csrf-token": visitor.csrf}
    return [
        Case("session, bearer", sessions, _same({"authorization": f"Bearer {access}"})),
        Case("session, cookie", sessions, _same(cookie)),
    ]


async def _tokens(context: Context, upstream: FakeUpstream) -> list[Case]:
    keys = {
        "RS256": jwk.RSAKey.generate_key(2048, {"kid": "RS256", "alg": "RS256"}),
        "ES256": jwk.ECKey.generate_key("P-256", {"kid": "ES256", "alg": "ES256"}),
    }
    document = {"issuer": upstream.url, "jwks_uri": f"{upstream.url}/jwks"}
    published = {"keys": [key.as_dict(private=False) for key in keys.values()]}
    upstream.reply(*(Reply(parts=[json.dumps(body).encode()]) for body in (document, published)))
    settings = {"issuers": {"corp": {"issuer": upstream.url, "audience": AUDIENCE}}}
    plugin = Jwt("jwt", JwtConfig.model_validate(settings), context)
    (authenticator,) = plugin.register_authenticators()

    def token(kind: str, number: int = 0) -> dict[str, str]:
        claims = {"iss": upstream.url, "aud": AUDIENCE, "sub": f"user-{number}", "exp": time.time() + 3600}
        text = jwt.encode({"alg": kind, "kid": kind, "typ": "at+jwt"}, claims, keys[kind], [kind])
        return {"authorization": f"Bearer {text}"}

    def fresh(kind: str) -> Callable[[], Sequence[Request]]:
        return lambda: [Request(token(kind, number)) for number in range(300)]

    return [
        Case("JWT, seen before", authenticator, _same(token("RS256"))),
        *(Case(f"JWT, new, {kind}", authenticator, fresh(kind)) for kind in keys),
    ]


async def _component(context: Context, journal: Journal) -> Case:
    key = Ed25519PrivateKey.generate()
    signer = Signer(key)
    new = NewComponent(tenant="default", name="benchmark")
    public = key.public_key().public_bytes_raw()
    await create_component(context.database, new, "rfc9421", signer.key_id, public, actor=ACTOR)
    context.write = journal.submit
    plugin = Component("component", ComponentConfig(), context)
    await plugin.startup()

    def signed() -> Sequence[Request]:
        content = {"content-type": "application/json"}
        return [Request({**content, **signer.headers("POST", URL, BODY, content)}) for _ in range(2000)]

    return Case("component", plugin, signed)


if __name__ == "__main__":
    sys.exit(main())
