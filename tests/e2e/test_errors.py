"""Whatever goes wrong, the answer has OpenAI's shape, a request id, and nothing of the inside."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI

from .support.process import Deployment, deployment
from .support.raw import RawClient, chat_body, request

CONFIG = """
[gateway]
max_body_bytes = 100_000
[auth.apikey]
[provider.mock]
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with deployment(tmp_path_factory.mktemp("errors"), CONFIG) as served:
        yield served


@pytest.fixture(scope="module")
def key(served: Deployment) -> str:
    return served.key()["key"]


@pytest.fixture(scope="module")
def http(served: Deployment, key: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=served.url, headers={"authorization": f"Bearer {key}"}, timeout=30) as client:
        yield client


def check(answer: httpx2.Response, status: int) -> dict[str, Any]:
    """Check the shape of an error, and return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"].startswith("req_")
    assert "Traceback" not in answer.text
    assert 'File "' not in answer.text
    body = answer.json()
    assert set(body) == {"error"}
    error: dict[str, Any] = body["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    assert error["type"]
    return error


BODIES = {
    "empty": b"",
    "not JSON": b"{nope",
    "cut": b'{"model": "mock/echo", "messages": [{"role"',
    "trailing": chat_body() + b"x",
    "not UTF-8": b'{"model": "mock/echo", "messages": ["\xff\xfe"]}',
    "a model that is not UTF-8": b'{"model": "\xff", "messages": [{}]}',
    "a field that is not UTF-8": b'{"\xff": 1, "model": "mock/echo", "messages": [{}]}',
    "a byte order mark alone": b"\xef\xbb\xbf",
    "a list": b"[]",
    "a number": b"5",
    "null": b"null",
    "no model": b'{"messages": [{"role": "user", "content": "hi"}]}',
    "no messages": b'{"model": "mock/echo"}',
    "empty messages": b'{"model": "mock/echo", "messages": []}',
    "empty model": chat_body(model=""),
    "model of a wrong type": b'{"model": 5, "messages": [{}]}',
    "messages of a wrong type": b'{"model": "mock/echo", "messages": "hi"}',
    "stream of a wrong type": b'{"model": "mock/echo", "messages": [{}], "stream": "yes"}',
    "stream options of a wrong type": b'{"model": "mock/echo", "messages": [{}], "stream": true, "stream_options": 3}',
    "nested without end": b'{"model": "mock/echo", "messages": [' + b"[" * 50_000,
    "nested deeply": b'{"model": "mock/echo", "messages": [' + b"[" * 40_000 + b"]" * 40_000 + b"]}",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_bad_body_is_refused_with_400(http: httpx2.Client, body: bytes) -> None:
    error = check(http.post("/v1/chat/completions", content=body), 400)
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize("depth", [100, 300, 500, 900, 2_000])
@pytest.mark.parametrize("stream", [False, True])
def test_a_deeply_nested_message_gets_an_answer(
    http: httpx2.Client, served: Deployment, depth: int, stream: bool
) -> None:
    nested = '{"a":' * depth + "1" + "}" * depth
    body = f'{{"model":"mock/echo","stream":{str(stream).lower()},"messages":[{{"role":"user","content":"hi @no-usage","x":{nested}}}]}}'
    name = f"nested-{depth}-{stream}"
    answer = http.post("/v1/chat/completions", content=body, headers={"x-client-request-id": name})
    if answer.status_code == 200:
        assert answer.headers["x-request-id"]
        assert served.row(name)["status"] == "success"
    else:
        check(answer, 400)


def test_a_wrong_type_names_the_field(http: httpx2.Client) -> None:
    answer = http.post("/v1/chat/completions", json={"model": "mock/echo", "messages": "hi"})
    assert check(answer, 400)["param"] == "messages"
    answer = http.post("/v1/chat/completions", content=b'{"messages": [{}]}')
    error = check(answer, 400)
    assert error["param"] == "model"
    answer = http.post("/v1/embeddings", json={"model": "mock/embedding"})
    assert check(answer, 400)["param"] == "input"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1", 404),
        ("GET", "/v1/", 404),
        ("POST", "/v1/nothing", 404),
        ("POST", "/v1/chat/completions/", 404),
        ("POST", "//v1/chat/completions", 404),
        ("GET", "/v1/%2e%2e/admin", 404),
        ("GET", "/v1/chat/completions", 405),
        ("PUT", "/v1/embeddings", 405),
        ("DELETE", "/v1/models", 405),
        ("OPTIONS", "/v1/chat/completions", 405),
        ("BREW", "/v1/models", 405),
    ],
)
def test_an_unknown_route_or_method(http: httpx2.Client, method: str, path: str, status: int) -> None:
    answer = http.request(method, path)
    if method == "BREW" and answer.status_code == 400:
        return  # the server refuses a method that is not HTTP's
    check(answer, status)
    if status == 405:
        assert answer.headers["allow"]


def test_an_unknown_model_is_404_with_the_nearest_names(http: httpx2.Client) -> None:
    answer = http.post("/v1/chat/completions", content=chat_body(model="mok/echo"))
    error = check(answer, 404)
    assert error["code"] == "model_not_found"
    assert "mock/echo" in error["message"]


def test_a_model_that_cannot_do_it(http: httpx2.Client) -> None:
    error = check(http.get("/v1/models/nothing"), 404)
    assert error["code"] == "model_not_found"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer"},
        {"authorization": "Bearer gw_wrong"},
        {"authorization": "Bearer sk-something-else"},
        {"authorization": "Basic dXNlcjpwdw=="},
        {"authorization": "gw_wrong"},
        {"authorization": "Bearer " + "x" * 10_000},
        {"x-api-key": "gw_wrong"},
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models", "/v1/models/mock/echo"])
def test_no_key_and_a_bad_key_are_401(served: Deployment, headers: dict[str, str], path: str) -> None:
    method, body = ("POST", chat_body()) if "chat" in path else ("GET", None)
    answer = httpx2.request(method, served.url + path, content=body, headers=headers)
    error = check(answer, 401)
    assert error["code"] == "invalid_api_key"
    assert "sk-something-else" not in error["message"]


def test_a_key_that_is_not_ascii_is_401(served: Deployment) -> None:
    answer = httpx2.post(
        f"{served.url}/v1/chat/completions",
        content=chat_body(),
        headers={b"authorization": b"Bearer \xe4\xff"},
    )
    check(answer, 401)


def test_the_sdk_raises_its_own_errors(served: Deployment, key: str) -> None:
    with OpenAI(base_url=f"{served.url}/v1", api_key=key, max_retries=0) as sdk:
        with pytest.raises(openai.AuthenticationError):
            sdk.with_options(api_key="gw_bad").models.list()
        with pytest.raises(openai.NotFoundError) as refused:
            sdk.chat.completions.create(model="nope", messages=[{"role": "user", "content": "hi"}])
        assert refused.value.request_id


def test_a_body_too_large_is_413_announced_or_not(served: Deployment, http: httpx2.Client, key: str) -> None:
    check(http.post("/v1/chat/completions", content=chat_body("x" * 100_001)), 413)

    def in_pieces() -> Iterator[bytes]:
        yield chat_body("x" * 99_000)[:-1]
        yield b" " * 50_000

    check(http.post("/v1/chat/completions", content=in_pieces()), 413)
    with OpenAI(base_url=f"{served.url}/v1", api_key=key, max_retries=0) as sdk:
        with pytest.raises(openai.APIStatusError) as refused:
            sdk.chat.completions.create(
                model="mock/echo", messages=[{"role": "user", "content": "x" * 30_000_000}]
            )
        assert refused.value.status_code == 413


async def test_a_request_cut_in_its_body_harms_nobody(served: Deployment, key: str) -> None:
    for size in (0, 1, 20):
        async with RawClient(served.port) as raw:
            whole = request(chat_body(), key=key)
            raw.writer.write(whole[: whole.index(b"\r\n\r\n") + 4 + size])
            await raw.writer.drain()
    async with RawClient(served.port) as raw:
        await raw.ask(request(chat_body(), key=key))
        assert raw.status == 200


@pytest.mark.parametrize(
    "data",
    [
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: abc\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n",
        b"GET /v1/models HTTP/1.1\r\nbad header\r\n\r\n",
    ],
)
async def test_malformed_http_is_refused_in_the_same_shape(served: Deployment, data: bytes) -> None:
    async with RawClient(served.port) as raw:
        await raw.ask(data)
        assert raw.status in {400, 401}
        assert raw.headers["content-type"] == "application/json"
        assert raw.headers["x-request-id"]
        assert (await raw.json())["error"]["message"]


@pytest.mark.parametrize("start", [b"GET /", b"GET / HTTP/1.1\r\nx-a: ", b"GET / HTTP/1.1\r\n"])
async def test_a_head_without_end_is_cut_off(served: Deployment, start: bytes) -> None:
    async with RawClient(served.port) as raw:
        raw.writer.write(start)
        line = b"a: b\r\n" if start.endswith(b"1.1\r\n") else b"aaaaaa"
        raw.writer.write(line * 12_000)
        await raw.head()
        assert raw.status == 431
        assert (await raw.json())["error"]["code"] == "headers_too_large"
        assert raw.headers["x-request-id"]


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/chat/completions"])
@pytest.mark.parametrize("line", [b"a: b\r\n", b"aaaaaa"])
async def test_trailers_without_end_are_cut_off(served: Deployment, key: str, path: str, line: bytes) -> None:
    async with RawClient(served.port) as raw:
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ntransfer-encoding: chunked\r\n\r\n"
        raw.writer.write(head.encode() + b"2\r\n{}\r\n0\r\n")
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(30):
                while True:
                    raw.writer.write(line * 2_000)
                    await raw.writer.drain()


async def test_large_bodies_do_not_count_as_heads(served: Deployment, key: str) -> None:
    async with RawClient(served.port) as raw:
        for _ in range(3):
            await raw.ask(request(chat_body("x" * 80_000), key=key))
            assert raw.status == 200
            await raw.body()


async def test_requests_in_a_pipeline_are_answered_in_order(served: Deployment, key: str) -> None:
    async with RawClient(served.port) as raw:
        raw.writer.write(b"".join(request(chat_body(f"number {n}"), key=key) for n in range(5)))
        for number in range(5):
            await raw.head()
            answer = await raw.json()
            assert answer["choices"][0]["message"]["content"] == f"number {number}"


PLUGIN = """
from gateway import Plugin, hookimpl
from starlette.routing import Route

class Bomb(Plugin):
    id = "middleware.bomb"

    @hookimpl
    def register_interceptors(self):
        return [self]

    @hookimpl
    def register_routes(self):
        return [Route("/bomb", self.page)]

    async def page(self, request):
        raise RuntimeError("inner secret " + "sk-very-secret")

    async def around_call(self, call, proceed):
        if b"before" in call.body:
            raise RuntimeError("inner secret sk-very-secret")
        answer = await proceed(call)
        if b"after" in call.body:
            raise RuntimeError("inner secret sk-very-secret")
        return answer

    def finished(self, call, outcome):
        if b"finish" in call.body:
            raise RuntimeError("inner secret sk-very-secret")
"""


def test_a_fault_of_a_plugin_is_500_without_its_details(deploy: Any, tmp_path: Any) -> None:
    package = tmp_path / "site"
    (package / "gateway_bomb").mkdir(parents=True)
    (package / "gateway_bomb" / "__init__.py").write_text(PLUGIN)
    info = package / "gateway_bomb-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gateway-bomb\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[gateway.plugins]\nmiddleware.bomb = gateway_bomb:Bomb\n")
    config = "[provider.mock]\n[middleware.bomb]\n"
    served = deploy(config, faults=True, pythonpath=package)
    with httpx2.Client(base_url=served.url) as http:
        for word in ("before", "after"):
            for stream in (False, True):
                answer = http.post(
                    "/v1/chat/completions",
                    content=chat_body(word, stream=stream),
                    headers={"x-client-request-id": f"{word}-{stream}"},
                )
                error = check(answer, 500)
                assert "secret" not in json.dumps(error)
        assert "secret" not in json.dumps(check(http.get("/bomb"), 500))
        assert http.post("/v1/chat/completions", content=chat_body("finish")).status_code == 200
        assert http.post("/v1/chat/completions", content=chat_body("fine")).status_code == 200
    assert served.call("after-True")["status"] == "failed"
    assert "internal error" in served.text()


async def test_a_slow_head_does_not_hold_up_others(served: Deployment, key: str) -> None:
    async with RawClient(served.port) as slow:
        slow.writer.write(request(chat_body(), key=key)[:30])
        async with RawClient(served.port) as raw:
            await asyncio.wait_for(raw.ask(request(chat_body(), key=key)), 10)
            assert raw.status == 200
