"""How JSON bodies are read: a client's with the error it deserves, a provider's with one for the operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from gateway.errors import InvalidRequest
from gateway.wire.dialect import WireError

T = TypeVar("T")

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are not JSON, not UTF-8, or nested too deeply."""


def read_request(decode: Callable[[bytes], T], body: bytes) -> T:
    """Read a client's request. Raises `InvalidRequest` that names the field at fault, where there is one.

    The body must be UTF-8, as RFC 8259 wants it; that is checked apart, for msgspec skips what it need not read.
    """
    try:
        if not body.isascii():
            body.decode()
        return decode(body)
    except UNREADABLE as error:
        raise _refusal(error) from None


def read_answer(decode: Callable[[bytes], T], body: bytes) -> T | None:
    """Read a provider's answer; None when it is an object of an unusual shape. Raises `WireError` when it is none."""
    try:
        return decode(body)
    except msgspec.ValidationError:
        if not body.lstrip().startswith(b"{"):
            raise WireError("the answer is not a JSON object") from None
        return None  # no reason to withhold the answer: its usage will be estimated
    except UNREADABLE as error:
        raise WireError(f"the answer is not valid JSON: {error}") from None


def refuse_unless_unusual(payload: bytes, error: Exception) -> None:
    """Judge a provider's streamed event that gave this error to its decoder.

    JSON of a shape we do not know may pass, for the client may know it. Raises `WireError` for anything else.
    """
    if not isinstance(error, msgspec.ValidationError):
        raise WireError(f"a streamed event is not valid JSON: {error}") from None
    if not payload.startswith(b"{"):
        raise WireError(f"a streamed event is not a JSON object: {error}") from None


def _refusal(error: Exception) -> InvalidRequest:
    """Turn a decoder's complaint into a 400 that names the field, where there is one."""
    if isinstance(error, RecursionError):
        return InvalidRequest("The request body is nested too deeply.", code="invalid_json")
    if not isinstance(error, msgspec.ValidationError):
        return InvalidRequest(f"The request body is not valid JSON: {error}.", code="invalid_json")
    problem, _, path = str(error).partition(" - at `$")
    param = path.rstrip("`").removeprefix(".").partition("[")[0] or None
    if "missing required field" in problem:
        param = problem.rpartition("field `")[2].rstrip("`")
        return InvalidRequest(
            f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter"
        )
    where = f"'{param}'" if param else "the request body"
    return InvalidRequest(f"Invalid type for {where}: {_lower(problem)}.", param=param, code="invalid_type")


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:].replace("`", "")
