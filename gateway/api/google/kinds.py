"""What Google keeps for its clients, and how it is named."""

from __future__ import annotations

import re
from typing import Any, Final

from msgspec import Struct

from gateway.errors import InvalidRequest

MODELS: Final = "models/"
"""What stands before the name of a model."""
ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Kind(Struct, frozen=True):
    """One kind of thing."""

    name: str
    """Among the jobs of the database."""
    folder: str
    """In names: `files/abc`."""
    listed: str
    """The field that holds them in a list."""

    def id_in(self, name: Any) -> str | None:
        """Return the last part of a name of this kind; None when it is none."""
        start, _, id = name.rpartition("/") if isinstance(name, str) else ("", "", "")  # noqa: A001 - Google's word
        return id if start == self.folder and ID.fullmatch(id) else None

    def missing(self, id: str) -> InvalidRequest:
        """Make the error for one that the caller has not, whether or not somebody else has it."""
        return InvalidRequest(
            f"There is no '{self.folder}/{id}', or it is not yours.", status=404, param="name"
        )


FILE: Final = Kind("google.file", "files", "files")
CACHE: Final = Kind("google.cache", "cachedContents", "cachedContents")
BATCH: Final = Kind("google.batch", "batches", "operations")
