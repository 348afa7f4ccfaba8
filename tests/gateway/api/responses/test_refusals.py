"""Requests that nobody should send get an answer that names what is wrong, and never a 500."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from gateway import Gateway

from .... import scratch

PATH = "/v1/responses"


@pytest.fixture(scope="module", params=scratch.KINDS)
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A client of one gateway for all of them: what it refuses leaves nothing behind."""
    with scratch.database(request.param, tmp_path_factory.mktemp("refusals")) as url:
        gateway = Gateway.from_dict({"gateway": {"database": url}, "provider": {"mock": {}}})
        with TestClient(gateway, raise_server_exceptions=False) as client:
            yield client


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
def test_a_bad_body(client: TestClient, body: bytes, path: str) -> None:
    answer = client.post(path, content=body)
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
def test_a_bad_page(client: TestClient, query: str, param: str) -> None:
    made = client.post(PATH, json={"model": "mock/echo", "input": "x"})
    answer = client.get(f"{PATH}/{made.json()['id']}/input_items?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


@pytest.mark.parametrize("id", ["resp_%00", "x" * 3000, "%ff", "'; DROP TABLE responses"])
def test_an_id_that_nobody_has(client: TestClient, id: str) -> None:
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")):
        answer = client.request(method, f"{PATH}/{id}{path}")
        assert answer.status_code == 404, answer.text
    body = {"model": "mock/echo", "input": "x", "previous_response_id": f"resp_\0{id}"}
    refused = client.post(PATH, json=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "previous_response_not_found")


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_that_no_database_can_hold(client: TestClient, stream: bool) -> None:
    body = {"model": "mock/\0" + "long" * 100, "input": "x", "background": True, "stream": stream}
    answer = client.post(PATH, json=body)
    assert answer.status_code == 200, answer.text
