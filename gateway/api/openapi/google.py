"""The routes of Google's files, caches and batches. OpenAI's clients have some of their paths, too."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from gateway.api.google.routes import TABLE, VERSIONS
from gateway.api.openapi.operation import Family, Operation

_SUMMARIES: Final = {
    "upload": "Begin an upload, or take a piece of it",
    "list_files": "List files of Google's clients",
    "content": "Send a file of results",
    "show_file": "Describe a file of Google's clients",
    "delete_file": "Delete a file of Google's clients",
    "create_cache": "Make a cache",
    "list_caches": "List caches",
    "show_cache": "Describe a cache",
    "change_cache": "Change how long a cache is kept",
    "delete_cache": "Delete a cache",
    "create_batch": "Begin a batch of Google's clients",
    "list_batches": "List batches of Google's clients",
    "cancel_batch": "Cancel a batch of Google's clients",
    "show_batch": "Describe a batch of Google's clients",
    "delete_batch": "Delete a batch",
}
_JSON: Final = "application/json"
_TEXT: Final[Mapping[str, Any]] = {"type": "string"}


def _operation(name: str, path: str) -> Operation:
    families: tuple[Family, ...] = ("openai",) if path == "/v1/batches/{id}" else ("gemini",)
    page = {"pageSize": {"type": "integer", "minimum": 0}, "pageToken": _TEXT}
    query = page if name.startswith("list_") else {"upload_id": _TEXT} if name == "upload" else {}
    kind = "application/octet-stream" if name == "content" else _JSON
    return Operation(summary=_SUMMARIES[name], families=families, others=(kind,), query=query)


GOOGLE: Final[Mapping[tuple[str, str], Operation]] = MappingProxyType(
    {
        (method, placed.replace("{model:path}", "{model}")): _operation(name, placed)
        for version in VERSIONS
        for method, path, name in TABLE
        for placed in (path.replace("{version}", version),)
    }
)
"""By method and path; of those that both have, OpenAI's count."""
