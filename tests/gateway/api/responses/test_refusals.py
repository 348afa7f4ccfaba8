"""Requests that nobody should send get an answer that names what is wrong, and never a 500."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway import Gateway

PATH = "/v1/responses"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"model":"mock/echo"}',
        b'{"model":"mock/echo","input":"\\ud800"}',
        b'{"model":"mock/echo","input":["\\ud800"]}',
        b'{"model":"mock/echo","input":"x","instructions":"\\ud800"}',
        b'{"model":"mock/echo","input":"x","store":"yes"}',
        b'{"model":"mock/echo","input":"x","background":3}',
        b'{"model":"mock/echo","input":"x","previous_response_id":[]}',
        b'{"model":"mock/echo","input":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"model":"mock/echo","background":true,"input":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"model":"mock/echo","background":true,"input":"x","metadata":{"a":"\\ud800"}}',
        b"\xff",
    ],
)
@pytest.mark.parametrize("path", [PATH, f"{PATH}/input_tokens"])
async def test_a_bad_body(build: Callable[..., Gateway], body: bytes, path: str) -> None:
    gateway = build()
    async with gateway.lifespan(), gateway.client as client:
        answer = await client.post(path, content=body)
        if path == PATH or answer.status_code != 200:  # to estimate takes less than to carry out
            assert answer.status_code == 400, answer.text
            assert answer.json()["error"]["type"] == "invalid_request_error"
            assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("order=up", "order"),
        ("after=x", "after"),
    ],
)
async def test_a_bad_page(build: Callable[..., Gateway], query: str, param: str) -> None:
    gateway = build()
    async with gateway.lifespan(), gateway.client as client:
        made = await client.post(PATH, json={"model": "mock/echo", "input": "x"})
        answer = await client.get(f"{PATH}/{made.json()['id']}/input_items?{query}")
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == param


@pytest.mark.parametrize("id", ["resp_%00", "x" * 3000, "%ff", "'; DROP TABLE responses"])
async def test_an_id_that_nobody_has(build: Callable[..., Gateway], id: str) -> None:
    gateway = build()
    async with gateway.lifespan(), gateway.client as client:
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")):
            answer = await client.request(method, f"{PATH}/{id}{path}")
            assert answer.status_code == 404, answer.text
        body = {"model": "mock/echo", "input": "x", "previous_response_id": f"resp_\0{id}"}
        assert (await client.post(PATH, json=body)).status_code == 404


@pytest.mark.parametrize("stream", [False, True])
async def test_a_model_that_no_database_can_hold(build: Callable[..., Gateway], stream: bool) -> None:
    gateway = build()
    async with gateway.lifespan(), gateway.client as client:
        body = {"model": "mock/\0" + "long" * 100, "input": "x", "background": True, "stream": stream}
        answer = await client.post(PATH, json=body)
        assert answer.status_code == 200, answer.text
