"""What the mock is told to do: by the model's name, by rules in the config, by directives in the user's message."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from pydantic import Field, ValidationError

from gateway import PluginConfig
from gateway.errors import InvalidRequest


class Script(PluginConfig):
    """How to answer one request. What is not set is as a healthy provider would do it."""

    text: str | None = Field(default=None, description="Text of the answer; default: the last user message.")
    chunks: int | None = Field(
        default=None, ge=1, le=10_000, description="Answer with so many words of filler text."
    )
    tools: tuple[str, ...] = Field(
        default=(), description="Names of the tools to call, whatever the message says."
    )
    status: int | None = Field(default=None, ge=400, le=599, description="Fail with this HTTP status.")
    code: str | None = Field(
        default=None, description="`code` of that error; default: the usual one of the status."
    )
    message: str | None = Field(default=None, description="`message` of that error.")
    retry_after: int | None = Field(
        default=None, ge=0, le=86_400, description="Its `retry-after`, in seconds."
    )
    delay_ms: int = Field(
        default=0, ge=0, le=600_000, description="Wait so many milliseconds before answering."
    )
    chunk_delay_ms: int = Field(
        default=0, ge=0, le=60_000, description="Wait so long before each event of a stream."
    )
    cut_after: int | None = Field(
        default=None, ge=0, description="Break the connection after so many events."
    )
    hang_after: int | None = Field(default=None, ge=0, description="Say nothing more after so many events.")
    malformed: bool = Field(default=False, description="Send something that is not JSON.")
    empty: bool = Field(default=False, description="Send nothing at all, with status 200.")
    usage: bool = Field(default=True, description="Whether to report usage.")
    cached_tokens: int = Field(default=0, ge=0, description="How many prompt tokens to report as cached.")


class Rule(Script):
    """A script for the requests that it matches."""

    match: str = Field(
        default="", description="Part of the last user message, in any case; default: every message."
    )
    model: str = Field(default="*", description="Name of the model, or a pattern with `*`.")


MODELS = {
    "echo": Script(),
    "lorem": Script(chunks=50),
    "slow": Script(delay_ms=1000, chunk_delay_ms=50),
    "error": Script(status=500),
    "reasoner": Script(),
    "embedding": Script(),
}
"""The models that the mock lists. Every other name may be called too, and behaves as `echo` does."""

_DIRECTIVE = re.compile(r"(?<!\S)@([a-z]+(?:-[a-z]+)*)(?:=(\S+))?(?:\s+|$)")
_FIELDS = {
    "chunks": "chunks",
    "tool": "tools",
    "status": "status",
    "code": "code",
    "retry-after": "retry_after",
    "delay": "delay_ms",
    "gap": "chunk_delay_ms",
    "cut": "cut_after",
    "hang": "hang_after",
    "cached": "cached_tokens",
}
_FLAGS = {"malformed": ("malformed", True), "empty": ("empty", True), "no-usage": ("usage", False)}
_MAY_STAND_ALONE = {"cut": "0", "hang": "0"}


def find(rules: Sequence[Rule], model: str, message: str) -> tuple[Script, str]:
    """Return what to do, and the message without its directives.

    Directives in the message count more than the first rule that matches, and that more than the model's name.
    Raises `InvalidRequest` for a directive whose value cannot be used.
    """
    script = MODELS.get(model) or MODELS["echo"]
    if rules:
        folded = message.casefold()
        for rule in rules:
            if rule.match.casefold() in folded and fnmatchcase(model, rule.model):
                script = script.model_copy(update=rule.model_dump(exclude_unset=True))
                break
    if "@" not in message:
        return script, message
    said: dict[str, Any] = {}
    message = _DIRECTIVE.sub(lambda found: _take(found, said), message).rstrip()
    if not said:
        return script, message
    try:
        said = Script.model_validate(said).model_dump(exclude_unset=True)
    except ValidationError as error:
        problem = error.errors()[0]
        field = next(name for name, field in _FIELDS.items() if field == problem["loc"][0])
        raise InvalidRequest(
            f"Invalid directive '@{field}' for the mock provider: {problem['msg']}.", code="invalid_directive"
        ) from None
    return script.model_copy(update=said), message


def _take(found: re.Match[str], said: dict[str, Any]) -> str:
    """Note a directive and remove it from the message; leave other words that begin with `@` where they are."""
    name, value = found[1], found[2]
    if name in _FLAGS and value is None:
        field, flag = _FLAGS[name]
        said[field] = flag
        return ""
    value = value or _MAY_STAND_ALONE.get(name)
    if name not in _FIELDS or value is None:
        return found[0]
    field = _FIELDS[name]
    said[field] = (*said.get(field, ()), value) if name == "tool" else value
    return ""
