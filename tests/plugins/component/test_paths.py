"""A signature is made over the path that the client asks for, whatever the gateway makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from httpx2 import Response
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from gateway import Gateway
from gateway.identity import Actor
from gateway.sdk.signing import Signer
from gateway.store.components import NewComponent, create_component
from gateway.testing.upstream import FakeUpstream, Reply

ORIGIN = "http://localhost:8080"
JSON = {"content-type": "application/json"}
CHAT = b'{"model": "mock/echo", "messages": [{"role": "user", "content": "hi"}]}'


class Signed:
    """A registered component, and a gateway at a path of a host application."""

    def __init__(self, client: TestClient, signer: Signer, mounted_at: str) -> None:
        self._client = client
        self._signer = signer
        self._mounted_at = mounted_at

    def send(self, method: str, path: str, body: bytes = b"", *, signed: str | None = None) -> Response:
        """Send a request with a signature over its own path, or over `signed`."""
        url = f"{ORIGIN}{self._mounted_at}{path}"
        over = url if signed is None else f"{ORIGIN}{signed}"
        headers = self._signer.headers(method, over, body, JSON if body else {})
        return self._client.request(method, url, headers=headers, content=body or None)


@pytest.fixture(scope="module", params=["", "/ai", "/host/v1"], ids=["alone", "mounted", "deeper"])
def signed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Signed, str]]:
    root: str = request.param
    key, upstream = Ed25519PrivateKey.generate(), FakeUpstream()
    folder = tmp_path_factory.mktemp("paths")
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(upstream):
        upstream.reply(Reply(headers=JSON, parts=[b'{"data": []}']))
        config: dict[str, Any] = {
            "gateway": {"database": f"sqlite:///{folder / 'gateway.db'}"},
            "auth": {"component": {}},
            "service": {"aigne": {}},
            "provider": {
                "mock": {},
                "azure": {"base_url": upstream.url, "api_key": "sk-fake"},
                "up": {
                    "use": "openai",
                    "base_url": f"{upstream.url}/v1",
                    "api_key": "sk-fake",
                    "passthrough": ["GET /files/*", "/files/*"],
                },
            },
        }
        gateway = Gateway.from_dict(config)
        host = gateway if not root else Starlette(routes=[Mount(root, gateway)], lifespan=gateway.lifespan)
        with TestClient(host, base_url=ORIGIN) as client:
            assert client.portal is not None
            signer = Signer(key)
            client.portal.call(
                lambda: create_component(
                    gateway._context.database,
                    NewComponent(tenant="default", name="billing", scopes=("calls.make", "models.read")),
                    "rfc9421",
                    signer.key_id,
                    key.public_key().public_bytes_raw(),
                    actor=Actor(kind="command", id="test"),
                )
            )
            client.portal.call(gateway._context.changes.look)
            yield Signed(client, signer, root), root


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/chat/completions", CHAT),
        ("POST", "/v1/chat/completions?a=1&b=%20c", CHAT),
        ("POST", "/api/v1/chat/completions", CHAT),
        ("GET", "/v1/models", b""),
        ("GET", "/v1/models/mock%2Fecho", b""),
        ("GET", "/v1/models/mock/echo", b""),
        ("GET", "/v1/models?limit=2", b""),
        (
            "POST",
            "/v1beta/models/mock%2fecho:generateContent",
            b'{"contents": [{"parts": [{"text": "hi"}]}]}',
        ),
        ("GET", "/provider/up/files/a%20b;c?purpose=x%2By", b""),
        ("POST", "/provider/up/files/%E3%81%82", b'{"a": 1}'),
        ("POST", "/provider/azure/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21", CHAT),
        ("GET", "/admin/api/models/mock%2Fecho", b""),
        ("GET", "/admin/api/models?search=ec%68o", b""),
    ],
)
def test_the_path_as_sent_is_what_is_signed(signed: tuple[Signed, str], method: str, path: str, body: bytes):
    answer = signed[0].send(method, path, body)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("path", "other"),
    [
        ("/v1/models/mock%2Fecho", "/v1/models/mock%2fecho"),
        ("/v1/models/mock%2Fecho", "/v1/models/mock/echo"),
        ("/v1/models", "/v1/models/"),
        ("/v1/models", "/v1/../v1/models"),
        ("/v1/models?limit=2", "/v1/models?limit=3"),
        ("/v1/models?limit=2", "/v1/models"),
        ("/provider/up/files/a%20b", "/provider/up/files/b"),
    ],
)
def test_another_spelling_is_another_path(signed: tuple[Signed, str], path: str, other: str):
    service, root = signed
    answer = service.send("GET", path, signed=root + other)
    assert answer.status_code == 401, answer.text
    assert "signature" in answer.text


def test_the_path_within_the_host_is_not_enough(signed: tuple[Signed, str]):
    service, root = signed
    answer = service.send("GET", "/v1/models", signed="/v1/models")
    assert answer.status_code == (401 if root else 200)
    answer = service.send("GET", "/v1/models", signed=f"{root}{root}/v1/models")
    assert answer.status_code == (401 if root else 200)


def test_an_alias_is_another_path(signed: tuple[Signed, str]):
    service, root = signed
    for path, other in (
        ("/api/v1/chat/completions", "/v1/chat/completions"),
        ("/v1/chat/completions", "/api/v1/chat/completions"),
    ):
        assert service.send("POST", path, CHAT, signed=root + other).status_code == 401
