"""What OpenAI's endpoints have in common: how bodies are read, and the shape of errors.

https://platform.openai.com/docs/guides/error-codes
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import msgspec

from gateway.errors import GatewayError, InvalidRequest
from gateway.wire.dialect import WireError

T = TypeVar("T")

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are not JSON, not UTF-8, or nested too deeply."""

BINARY_FIELDS: Final = frozenset({"file_data", "data", "b64_json"})


def error_body(error: GatewayError) -> bytes:
    """Shape an error as `{"error": {"message", "type", "param", "code"}}`."""
    fields = {"message": error.message, "type": error.type, "param": error.param, "code": error.code}
    return msgspec.json.encode({"error": fields})


def request(decode: Callable[[bytes], T], body: bytes) -> T:
    """Read a client's request. Raises `InvalidRequest` that names the field at fault, where there is one.

    The body must be UTF-8, as RFC 8259 wants it; that is checked apart, for msgspec skips what it need not read.
    """
    try:
        if not body.isascii():
            body.decode()
        return decode(body)
    except UNREADABLE as error:
        raise _refusal(error) from None


def answer(decode: Callable[[bytes], T], body: bytes) -> T | None:
    """Read a provider's answer; None when it is an object of an unusual shape. Raises `WireError` when it is none."""
    try:
        return decode(body)
    except msgspec.ValidationError:
        if not body.lstrip().startswith(b"{"):
            raise WireError("the answer is not a JSON object") from None
        return None  # no reason to withhold the answer: its usage will be estimated
    except UNREADABLE as error:
        raise WireError(f"the answer is not valid JSON: {error}") from None


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


def text_length(body: bytes, field: str) -> int:
    """Count the characters of text in a field of a JSON object, however deep; data URLs and files count as little.

    A body that cannot be read whole counts with all its bytes.
    """
    try:
        values: list[Any] = [msgspec.json.decode(body).get(field)]
    except UNREADABLE:
        return len(body)
    length = 0
    while values:
        item = values.pop()
        if isinstance(item, str):
            length += len(item) if not item.startswith("data:") else 0
        elif isinstance(item, list):
            values += cast("list[Any]", item)
        elif isinstance(item, dict):
            fields = cast("dict[str, Any]", item)
            values += [part for key, part in fields.items() if key not in BINARY_FIELDS]
    return length


def estimated_tokens(characters: int) -> int:
    """Estimate tokens from characters: four to one, the rule of thumb for English text."""
    return -(-characters // 4)
