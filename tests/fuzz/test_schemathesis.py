"""Every operation of the description, with requests that fit it and requests that do not: https://schemathesis.io."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import pytest
import requests
import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from schemathesis import GenerationMode, checks
from schemathesis.core.transport import Response
from schemathesis.specs.openapi import checks as conformance

from gateway import Gateway
from gateway.api.openapi import describe

from .amount import amount
from .answers import config, fill
from .canned import Canned
from .served import Asked, Got, Served, serving
from .words import check

DESCRIPTION = describe(Gateway.from_dict({"provider": {"mock": {}}}).routes)
SCHEMA: Any = schemathesis.openapi.from_dict(DESCRIPTION)
OPERATIONS: list[Any] = [found.ok() for found in SCHEMA.get_all_operations()]
WITHOUT_INPUT = {"GET /healthz", "GET /readyz", "GET /openapi.json"}
"""What nothing that is sent can be wrong for."""
CHECKS: list[Any] = [
    getattr(module, name)  # what is typed in neither module
    for module, name in (
        (checks, "not_a_server_error"),
        (conformance, "status_code_conformance"),
        (conformance, "content_type_conformance"),
        (conformance, "response_headers_conformance"),
        (conformance, "response_schema_conformance"),
    )
]
MODES: list[Any] = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
MODELS = st.sampled_from([None, "mock/echo", "cohere/canned", "anthropic/canned"])


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(config(drop_params=True), plugins=[Canned]) as served:
        fill(served)
        yield served


def test_the_description_is_what_is_served(served: Served) -> None:
    got = served.ask(Asked(method="GET", path="/openapi.json"))
    assert json.loads(got.body) == DESCRIPTION


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
@amount(4)
@given(data=st.data())
def test_every_operation(served: Served, operation: Any, mode: Any, data: st.DataObject) -> None:
    if operation.label in WITHOUT_INPUT:
        mode = GenerationMode.POSITIVE
    case = data.draw(operation.as_strategy(generation_mode=mode))
    name_model(case, data.draw(MODELS))
    sent = requests.Request(**case.as_transport_kwargs(base_url="http://gateway")).prepare()
    got = served.ask(asked(sent))
    check(unquote(urlsplit(sent.url or "").path), got, headers=sent.headers)
    case.validate_response(answer(sent, got), checks=CHECKS)


def name_model(case: Any, model: str | None) -> None:
    """Name a model that there is, where a request names any."""
    if model is None:
        return
    sent: Any = case.body
    body = cast("dict[str, Any]", sent) if isinstance(sent, dict) else {}
    if "model" in body:
        body["model"] = model
    if "model" in (case.path_parameters or {}):
        case.path_parameters["model"] = model


def asked(sent: requests.PreparedRequest) -> Asked:
    url = urlsplit(sent.url or "")
    content: Any = sent.body or b""
    body: bytes = content if isinstance(content, bytes) else content.encode()
    headers = {
        name: value if isinstance(value, str) else value.decode("latin-1")
        for name, value in sent.headers.items()
    }
    return Asked(
        method=sent.method or "GET",
        path=unquote(url.path),
        query=url.query.encode(),
        headers=headers,
        body=body,
    )


def answer(sent: requests.PreparedRequest, got: Got) -> Response:
    """Make of what the gateway sent what the checks want."""
    headers: dict[str, list[str]] = {}
    for name, value in got.headers:
        headers.setdefault(name, []).append(value)
    return Response(
        status_code=got.status, headers=headers, content=got.body, request=sent, elapsed=0.1, verify=False
    )
