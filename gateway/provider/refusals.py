"""Understands the errors of AI services, which are not all shaped alike, and keeps secrets out of them."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any, cast

import msgspec
from msgspec import Struct

_SHOWN = 2000
"""How many characters of a message are passed on."""

_SHORTEST_SECRET = 8
"""Shorter settings are no secrets, and part of too many words."""
_KEY_SHAPES = (
    r"\bBearer\s+[^\s\"',;]{8,}"
    r"|\b(?:sk|pk|rk|gsk|xai|pplx|nvapi|fw|csk|hf|r8|ghp|github_pat)[-_][A-Za-z0-9_*.-]{6,}"
    r"|\bAIza[A-Za-z0-9_*-]{10,}"
)
_ABOUT_CONTENT = re.compile(r"moderat|content[_ ]?(?:policy|filter|violation)|flagged|safety", re.IGNORECASE)


class Refusal(Struct, frozen=True, kw_only=True):
    """What a service says about a request it did not carry out."""

    message: str | None = None
    type: str | None = None
    code: str | None = None
    param: str | None = None
    status: int | None = None
    """A status that stands in the body, from 400 to 599."""
    retry_after: float | None = None
    """Seconds that the body asks for, as Google's do."""
    inner: Any = None
    """Azure's `innererror`, decoded."""

    def about_content(self) -> bool:
        """Tell whether the content of the request was refused, and not the credential."""
        return any(_ABOUT_CONTENT.search(text) for text in (self.code, self.type, self.message) if text)


def read(body: bytes) -> Refusal | None:
    """Read an error from a JSON body; None when there is none that could be understood.

    Knows `{"error": {…}}`, `{"error": "text"}`, `{"message": …}`, AWS's `{"Message": …}`, `{"detail": …}`, and a list
    around any of these.
    """
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if isinstance(document, list) and document:
        document = cast("list[Any]", document)[0]
    if not isinstance(document, dict):
        return None
    fields = cast("dict[str, Any]", document)
    inner = fields.get("error")
    if isinstance(inner, dict):
        fields = {**fields, **cast("dict[str, Any]", inner)}
    message = (
        _message(fields.get("message", fields.get("Message")))
        or _message(inner)
        or _message(fields.get("detail"))
    )
    if message is None and not inner:
        return None
    code: Any = fields.get("code")
    status: Any = fields.get("status")
    if _is_status(code) and isinstance(status, str):
        # Google's: the code is HTTP's, and the status is the name of its own code.
        code, status = status, code
    return Refusal(
        message=message,
        type=_word(fields.get("type")),
        code=None if _is_status(code) else _word(code),
        param=_word(fields.get("param")),
        status=next((code for code in (status, code) if _is_status(code)), None),
        retry_after=_retry_delay(fields.get("details")),
        inner=fields.get("innererror"),
    )


class Scrubber:
    """Removes credentials from texts: the configured ones, and what looks like one."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._configured = tuple(secrets)
        self._held: tuple[str, ...] = ()
        self._tried: list[Sequence[str]] = []
        self._compile()

    def hide(self, secrets: Iterable[str]) -> None:
        """Remove these of the vault from now on, instead of those before."""
        self._held = tuple(secrets)
        self._compile()

    @contextmanager
    def hiding(self, secrets: Sequence[str]) -> Generator[None]:
        """Remove some more, for as long as they are tried."""
        self._tried.append(secrets)
        self._compile()
        try:
            yield
        finally:
            self._tried.remove(secrets)
            self._compile()

    def _compile(self) -> None:
        # The longest first, in case one is part of another.
        tried = [one for some in self._tried for one in some]
        known = {one for one in (*self._configured, *self._held, *tried) if len(one) >= _SHORTEST_SECRET}
        words = [re.escape(one) for one in sorted(known, key=len, reverse=True)]
        self._secret = re.compile("|".join([*words, _KEY_SHAPES]), re.IGNORECASE)

    def scrub(self, text: str) -> str:
        """Return the text without secrets, and not too much of it."""
        return self.clean(text)[:_SHOWN]

    def clean(self, text: str) -> str:
        """Return the text without secrets."""
        return self._secret.sub("[redacted]", text)


def _message(value: Any) -> str | None:
    """Find the sentence for people in a text, an object, or a list of validation errors as FastAPI sends them."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, list):
        found = [text for text in map(_message, cast("list[Any]", value)) if text]
        return "; ".join(found) or None
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        text = _message(
            fields.get("message") or fields.get("msg") or fields.get("detail") or fields.get("error")
        )
        where = fields.get("loc")
        if text and isinstance(where, list):
            return f"{'.'.join(str(part) for part in cast('list[Any]', where))}: {text}"
        return text
    return None


def _word(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) and value != "" and value is not True else None


def _retry_delay(details: Any) -> float | None:
    """Read google.rpc.RetryInfo. https://cloud.google.com/apis/design/errors#error_details."""
    for detail in cast("list[Any]", details) if isinstance(details, list) else ():
        delay = cast("dict[str, Any]", detail).get("retryDelay") if isinstance(detail, dict) else None
        if isinstance(delay, str) and (seconds := re.fullmatch(r"(\d{1,6}(?:\.\d+)?)s", delay)):
            return float(seconds[1])
    return None


def _is_status(value: Any) -> bool:
    return isinstance(value, int) and 400 <= value <= 599  # noqa: PLR2004 - HTTP's range of errors
