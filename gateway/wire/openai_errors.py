"""The error shape of OpenAI's API, and of everything that is compatible with it.

https://platform.openai.com/docs/guides/error-codes
"""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec

from gateway.errors import GatewayError, InvalidRequest

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are not JSON, not UTF-8, or nested too deeply."""

BINARY_FIELDS: Final = frozenset({"file_data", "data", "b64_json"})


def error_body(error: GatewayError) -> bytes:
    """Shape an error as `{"error": {"message", "type", "param", "code"}}`."""
    fields = {"message": error.message, "type": error.type, "param": error.param, "code": error.code}
    return msgspec.json.encode({"error": fields})


def check_text(body: bytes) -> None:
    """Raise `UnicodeDecodeError` unless the body is UTF-8, as RFC 8259 wants it: msgspec skips what it need not read."""
    if not body.isascii():
        body.decode()


def bad_json(error: Exception) -> InvalidRequest:
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
