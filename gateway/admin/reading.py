"""Query and body of a request, by the models that an endpoint declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError

from gateway.admin.problems import InvalidFields
from gateway.errors import InvalidRequest

if TYPE_CHECKING:
    from gateway.admin.endpoint import Endpoint
    from gateway.api.incoming import HttpIncoming

_MOST_PARAMETERS: Final = 100


def parameters(raw: bytes) -> dict[str, str | list[str]]:
    """The parameters of a query: text, or a list of it for one that is repeated. Raises `InvalidRequest`."""
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS
        )
    except ValueError:
        raise InvalidRequest("The query of this URL cannot be read.", code="invalid_query") from None
    found: dict[str, str | list[str]] = {}
    for name, value in pairs:
        found[name] = [*_as_list(found[name]), value] if name in found else value
    return found


def read_query(endpoint: Endpoint, found: Mapping[str, Any]) -> BaseModel:
    """Validate the parameters. Raises `InvalidFields`."""
    try:
        return endpoint.query.model_validate(found)
    except ValidationError as error:
        raise InvalidFields(error, "query", endpoint.query) from None


async def read_body(endpoint: Endpoint, incoming: HttpIncoming) -> BaseModel | None:
    """Validate the body, when there is to be one. Raises `InvalidFields`, or `InvalidRequest` (400, 413, 415)."""
    if endpoint.body is None:
        return None
    kind = incoming.headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    if kind not in {b"application/json", b"application/merge-patch+json"}:
        raise InvalidRequest(
            "Send JSON, and say so: 'Content-Type: application/json'.",
            status=415,
            code="unsupported_media_type",
        )
    try:
        return endpoint.body.model_validate_json(await incoming.body())
    except ValidationError as error:
        if error.errors(include_input=False)[0]["type"] == "json_invalid":
            raise InvalidRequest("The body is not valid JSON.", code="invalid_json") from None
        raise InvalidFields(error, "body", endpoint.body) from None


def _as_list(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]
