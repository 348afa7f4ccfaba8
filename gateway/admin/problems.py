"""Errors as RFC 9457 has them: application/problem+json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypedDict

import msgspec
from pydantic import BaseModel, Field, ValidationError
from starlette.responses import Response
from starlette.types import Scope

from gateway.document import did_you_mean
from gateway.errors import GatewayError, InvalidRequest

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MEDIA_TYPE: Final = "application/problem+json"


class FieldError(BaseModel):
    """What is wrong with one field."""

    field: str = Field(description="Its path, joined with dots; empty for the whole.")
    message: str


class Problem(BaseModel):
    """Why a request was refused. https://www.rfc-editor.org/rfc/rfc9457."""

    type: str
    title: str = Field(description="What the status means.")
    status: int
    detail: str = Field(description="What is wrong here, and what to do.")
    instance: str = Field(description="The path that was asked for.")
    code: str = Field(description="The word for programs to go by.")
    request_id: str = Field(description="As in `x-request-id`, and in the gateway's log.")
    errors: list[FieldError] | None = Field(default=None, description="The fields that are wrong.")


class _Wrong(TypedDict):
    field: str
    message: str


class InvalidFields(InvalidRequest):
    """Query parameters or fields of a body that do not fit their model (422)."""

    status = 422
    code = "invalid_fields"

    def __init__(self, error: ValidationError, where: str, model: type[BaseModel]) -> None:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        self.fields: Sequence[_Wrong] = [
            {
                "field": ".".join(str(part) for part in wrong["loc"]),
                "message": _worded(wrong, model),
            }
            for wrong in found
        ]
        first = self.fields[0]
        named = f"{first['field']}: " if first["field"] else ""
        super().__init__(f"The {where} is not valid. {named}{first['message']}.")


def _worded(wrong: ErrorDetails, model: type[BaseModel]) -> str:
    """Say what is wrong with one; of a name that is not known, which there are."""
    if wrong["type"] != "extra_forbidden":
        return wrong["msg"].removeprefix("Value error, ")
    place = [str(part) for part in wrong["loc"]]
    if len(place) > 1:
        return "There is no such field"
    known = sorted(field.alias or name for name, field in model.model_fields.items())
    hint = did_you_mean(place[0], known)
    return f"There is no such name{hint or '.'} There are: {', '.join(known) or 'none'}"


def problem(error: GatewayError, scope: Scope) -> Response:
    """Shape an error as a response."""
    content: dict[str, Any] = {
        "type": "about:blank",
        "title": _title(error.status),
        "status": error.status,
        "detail": error.message,
        "instance": scope["path"],
        "code": error.code or _code(error.status),
        "request_id": scope["gateway.request_id"],
    }
    if isinstance(error, InvalidFields):
        content["errors"] = error.fields
    elif error.param is not None:
        content["errors"] = [{"field": error.param, "message": error.message}]
    response = Response(msgspec.json.encode(content), status_code=error.status, media_type=MEDIA_TYPE)
    response.raw_headers.extend(error.headers)
    return response


_CODES: Final[Mapping[int, str]] = {400: "invalid_request", 404: "not_found", 409: "conflict"}


def _code(status: int) -> str:
    return _CODES.get(status) or _title(status).lower().replace(" ", "_")


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
