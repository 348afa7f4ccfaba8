"""Names of files and caches in requests to Gemini. https://ai.google.dev/api/caching and https://ai.google.dev/api/files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import unquote, urlsplit

from gateway.api.google.kinds import BATCH, CACHE, FILE, Kind
from gateway.api.kept_names import KeptNames, Name
from gateway.errors import InvalidRequest, PermissionDenied
from gateway.types import OwnPath

_CACHED: Final = frozenset({"cachedContent", "cached_content"})
_PATH: Final = re.compile(r"/?(?:(?:upload|download)/)?(?:v\d\w*/)?files/([A-Za-z0-9_-]{1,64})(?::download)?")
_OWN: Final = re.compile(
    r"(?:/(?:upload|download))?(?:/v\d\w*)?/(files|cachedContents|batches)(?:/([^/:]*).*)?"
)
_KINDS: Final[Mapping[str, Kind]] = {kind.folder: kind for kind in (FILE, CACHE, BATCH)}
_HOST: Final = re.compile(r"generativelanguage\.[a-z.]*googleapis\.com")
_READS: Final = frozenset({"GET", "HEAD"})


class GoogleNames(KeptNames):
    """`fileData.fileUri` and `cachedContent`, and what declared paths lead to."""

    marks = (b"fileUri", b"file_uri", b"cachedContent", b"cached_content")
    fields = frozenset({"fileUri", "file_uri", *_CACHED})

    def kept(self, named: Iterable[Name]) -> Mapping[tuple[str, str], InvalidRequest]:
        """See `KeptNames`. Addresses elsewhere, as of a film on YouTube, are the provider's affair."""
        found: dict[tuple[str, str], InvalidRequest] = {}
        for field, value in named:
            kind = CACHE if field in _CACHED else FILE
            id = (kind.id_in(value) or value) if kind is CACHE else _file_in(value)  # noqa: A001 - Google's word
            if id is not None:
                found[kind.name, id] = kind.missing(id)
        return found

    def kept_at(self, own: OwnPath) -> Mapping[tuple[str, str], InvalidRequest]:
        """See `KeptNames`. Caches cannot be made unless their paths are declared, which is not meant to show them to everybody."""
        found = _OWN.fullmatch(unquote(own.path))
        if found is None:
            return {}
        kind, id = _KINDS[found[1]], found[2]  # noqa: A001 - Google's word
        if id:
            return {(kind.name, id): kind.missing(id)}
        if own.method in _READS:
            raise PermissionDenied(
                f"Only your own {kind.folder} are listed: ask /v1beta/{kind.folder}.", code="unmetered_route"
            )
        return {}


def _file_in(uri: str) -> str | None:
    """Return the id of the file of the service's that an address means; None for what is elsewhere."""
    try:
        parts = urlsplit(unquote(uri.strip()))
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return uri  # of which nobody has one
    if host and not _HOST.fullmatch(host):
        return None
    found = _PATH.fullmatch(parts.path)
    if found is not None:
        return found[1]
    return uri if host or "files/" in parts.path else None
