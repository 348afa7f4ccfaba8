"""A service's own paths: which may follow its base URL, and which of them the operator has declared."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from gateway.errors import InvalidRequest

_RAW: Final = re.compile(r"/[!-~]*")
_BAD_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})|%25")
_DECLARED: Final = re.compile(r"(?:([A-Z]+) )?(/[!-~]*)")
_NEVER: Final = frozenset("\\?#\x7f") | {chr(code) for code in range(0x20)}
"""Characters that some server takes for something else than a part of a name."""


class Declared(Struct, frozen=True):
    """One entry of the setting `passthrough`."""

    method: str | None
    """None stands for every method."""
    path: str
    """As it was written, without the method."""
    pattern: re.Pattern[str]

    @classmethod
    def parse(cls, text: str) -> Declared:
        """Read `[METHOD ]/path`. Raises ValueError that says what is wrong with it."""
        found = _DECLARED.fullmatch(text)
        if found is None:
            raise ValueError(
                f"'{text}' is no path such as '/files', or method and path such as 'GET /files/*'"
            )
        parts = [re.escape(part) for part in found[2].removesuffix("/*").split("*")]
        below = "/.+" if found[2].endswith("/*") else ""
        return cls(found[1], found[2], re.compile("[^/]+".join(parts) + below))


class OwnPaths:
    """What a service has below its base URL."""

    def __init__(self, base_url: str, declared: Sequence[str], *, beside: Sequence[str] = ()) -> None:
        """`beside` are beginnings of paths that stand beside the last segment of the base URL, not below it: `/v1`, `/upload/v1`."""
        self.base_url = base_url
        """Without a slash at its end."""
        base = urlsplit(base_url).path
        self._above = base_url[: base_url.rfind("/")]
        self._beside = tuple(f"{start}/" for start in beside)
        self._versions = tuple(start for start in self._beside if "/" not in start[1:-1])
        # `/v1/files` means the same as `/files` where the base URL ends in `/v1`, for SDKs begin all paths so.
        self._beginnings = tuple(start for start in (base, base[base.rfind("/") :]) if start)
        self._declared = tuple(map(Declared.parse, declared))

    def below(self, path: str) -> str:
        """Return the path without what the base URL ends in anyway."""
        for start in self._beginnings:
            if path.startswith(f"{start}/"):
                return path[len(start) :]
        return path

    def url(self, path: str) -> str:
        """Return the address of a path that `below` has returned."""
        return (self._above if path.startswith(self._beside) else self.base_url) + path

    def declared(self, method: str, path: str) -> str | None:
        """Return the declared path that covers this one, which is decoded and below the base URL; None when none does.

        In another version of the service it may be declared with that version, or without.
        """
        version = next(filter(path.startswith, self._versions), "/")
        paths = {path, path[len(version) - 1 :]}
        # A HEAD is a GET without the content.
        methods = {None, "GET", method} if method == "HEAD" else {None, method}
        for one in self._declared:
            if one.method in methods and any(map(one.pattern.fullmatch, paths)):
                return one.path
        return None


def decoded(path: str) -> str:
    """Decode a path as it stands in a request, once. Raises `InvalidRequest` unless all servers read it alike.

    So it is sure to stay below whatever it is put behind: it has no dots to climb with, no slash and no percent sign in
    disguise, no empty segment but a last one, no backslash and nothing that cannot be seen.
    """
    problem = None
    plain = ""
    if not _RAW.fullmatch(path) or _BAD_PERCENT.search(path):
        problem = "it is not percent-encoded, or more than once"
    else:
        try:
            plain = unquote(path, errors="strict")
        except UnicodeDecodeError:
            problem = "what it encodes is not UTF-8"
    if plain.count("/") != path.count("/"):
        problem = problem or "it has an encoded slash"
    elif _NEVER & set(plain):
        problem = "it has a backslash, a question mark, a number sign or a control character"
    elif "//" in plain:
        problem = "it has an empty segment"
    elif any(segment.partition(";")[0].strip() in {".", ".."} for segment in plain.split("/")):
        problem = "it has a segment of dots"
    if problem is not None:
        raise InvalidRequest(f"This path cannot be handed on: {problem}.", code="invalid_path")
    return plain
