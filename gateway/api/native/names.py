"""Names of files in requests to OpenAI: `file_id`. https://platform.openai.com/docs/guides/pdf-files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from gateway.api.kept_names import KeptNames, Name
from gateway.errors import InvalidRequest

_IN_CONTAINERS: Final = "cfile_"
"""How ids of files begin that a model has made while it ran code."""


class OpenAINames(KeptNames):
    """`file_id` of chats, responses and pictures, `file_ids` of containers."""

    marks = (b"file_id",)
    fields = frozenset({"file_id", "file_ids"})
    past = frozenset({"annotations", "logs", "outputs", "results"})

    def kept(self, named: Iterable[Name]) -> Mapping[tuple[str, str], InvalidRequest]:
        """See `KeptNames`."""
        files = {value for _, value in named if not value.startswith(_IN_CONTAINERS)}
        return {("file", file): missing("file", file) for file in files}


def missing(kind: str, id: str) -> InvalidRequest:
    """Make the error for one that the caller has not, whether or not somebody else has it."""
    told = f"No such File object: {id}" if kind == "file" else f"No batch found with id '{id}'."
    return InvalidRequest(told, status=404, param="id")
