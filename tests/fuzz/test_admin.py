"""Every operation of the admin API's description, with requests that fit it and requests that do not: https://schemathesis.io."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import requests
import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from schemathesis import GenerationMode, checks
from schemathesis.specs.openapi import checks as conformance

from gateway.admin.openapi import describe
from gateway.admin.resources import endpoints
from gateway.identity.permissions import PERMISSIONS

from ..gateway.admin.people import CONFIG, People, signed_in
from .amount import amount
from .served import Asked, Served, serving
from .test_schemathesis import answer, asked

DESCRIPTION = describe(endpoints())
SCHEMA: Any = schemathesis.openapi.from_dict(DESCRIPTION)
OPERATIONS: list[Any] = [found.ok() for found in SCHEMA.get_all_operations()]
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
MODES = st.sampled_from([GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
EVERYTHING = signed_in("default", "usr_all", "owner", *PERMISSIONS)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(CONFIG, plugins=[People]) as served:
        yield served


def test_the_description_is_openapi_and_what_is_served(served: Served) -> None:
    got = served.ask(Asked(method="GET", path="/admin/api/openapi.json", headers=EVERYTHING))
    assert json.loads(got.body) == DESCRIPTION
    operations = [operation for path in DESCRIPTION["paths"].values() for operation in path.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(ids) == len(set(ids)) == len(endpoints())
    for name, schema in DESCRIPTION["components"]["schemas"].items():
        jsonschema_rs.validator_for({**DESCRIPTION, **schema, "$id": name})


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
@amount(3)
@given(data=st.data())
def test_every_operation(served: Served, operation: Any, data: st.DataObject) -> None:
    without_input = not list(operation.iter_parameters()) and operation.method.upper() == "GET"
    mode = GenerationMode.POSITIVE if without_input else data.draw(MODES)
    case = data.draw(operation.as_strategy(generation_mode=mode))
    case.headers = {**(case.headers or {}), **EVERYTHING}
    sent = requests.Request(**case.as_transport_kwargs(base_url="http://gateway")).prepare()
    got = served.ask(asked(sent))
    case.validate_response(answer(sent, got), checks=CHECKS)
