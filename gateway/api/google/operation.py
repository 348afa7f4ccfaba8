"""What a batch of Google's says of itself. https://ai.google.dev/api/batch-api."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, cast

import msgspec

from gateway.api.google.kinds import FILE
from gateway.batches.google import Answered, result_of
from gateway.batches.results import Result

_ENDED: Final = {
    "SUCCEEDED": "completed",
    "FAILED": "failed",
    "CANCELLED": "cancelled",
    "EXPIRED": "expired",
}
_RESULTS: Final = ("inlinedResponses", "inlinedEmbedContentResponses")


class Operation:
    """One batch."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields
        metadata = _dict(fields.get("metadata"))
        output = _dict(metadata.get("output")) or _dict(fields.get("response"))
        state = str(metadata.get("state")).removeprefix("BATCH_STATE_").removeprefix("JOB_STATE_")
        ended = _ENDED.get(state)
        if ended is None and fields.get("done") is True:
            ended = "failed" if fields.get("error") else "completed"
        self.ended = ended
        """How it has ended, in OpenAI's words; None while it runs."""
        file = output.get("responsesFile")
        self.file: str | None = file if FILE.id_in(file) else None
        """The name of the file with its results."""
        self._inlined: list[Any] = []
        for name in _RESULTS:
            found = _dict(output.get(name)).get("inlinedResponses")
            if isinstance(found, list):
                self._inlined = cast("list[Any]", found)

    def results(self, model: str) -> Iterator[Result]:
        """Yield the results that it has in itself, in the order of the requests, by their numbers."""
        for number, one in enumerate(self._inlined, 1):
            try:
                answered = msgspec.convert(
                    {name: value for name, value in _dict(one).items() if name == "error"}, Answered
                )
            except msgspec.ValidationError:
                answered = Answered()
            answered.response = msgspec.Raw(msgspec.json.encode(_dict(one).get("response")))
            yield result_of(str(number), answered, model)

    def running(self) -> dict[str, Any]:
        """Say that it runs, and nothing of results."""
        metadata = {**_dict(self._fields.get("metadata")), "state": "BATCH_STATE_RUNNING"}
        metadata.pop("output", None)
        metadata.pop("endTime", None)
        kept = {
            name: value for name, value in self._fields.items() if name not in {"done", "response", "error"}
        }
        return {**kept, "metadata": metadata}


def shown_of(fields: dict[str, Any]) -> dict[str, Any]:
    """Leave out results that stand in a batch itself: they may be long, and lists need none."""

    def slim(output: Any) -> Any:
        return {name: value for name, value in _dict(output).items() if name not in _RESULTS}

    kept = dict(fields)
    if "response" in kept:
        kept["response"] = slim(kept["response"])
    metadata = _dict(kept.get("metadata"))
    if "output" in metadata:
        kept["metadata"] = {**metadata, "output": slim(metadata["output"])}
    return kept


def _dict(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
