"""OpenAI's usage and costs: pages of `GET /v1/organization/usage/…` and `GET /v1/organization/costs`.

https://platform.openai.com/docs/api-reference/usage
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec
from msgspec import Struct

from gateway.errors import GatewayError
from gateway.reconcile.export import Bucket, Export, Line, check_span, nano
from gateway.types import Capability


class _Amount(Struct, frozen=True):
    value: Decimal
    currency: str


class _Result(Struct, frozen=True):
    object: str
    model: str | None = None
    line_item: str | None = None
    amount: _Amount | None = None
    num_model_requests: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_cached_tokens: int | None = None
    images: int | None = None
    characters: int | None = None
    seconds: int | None = None


class _Bucket(Struct, frozen=True):
    start_time: int
    end_time: int
    results: Sequence[_Result]


class _Page(Struct, frozen=True):
    data: Sequence[_Bucket]


class _Kind(Struct, frozen=True):
    name: str
    fields: Mapping[str, str]
    """Names of the ledger by those of the export."""
    capabilities: tuple[Capability, ...] | None


_CALLS: Final = {"num_model_requests": "calls"}
_INPUT: Final = {"input_tokens": "prompt_tokens"}
_OUTPUT: Final = {"output_tokens": "completion_tokens", "input_cached_tokens": "cached_read_tokens"}
_KINDS: Final = {
    "organization.usage.completions.result": _Kind(
        "usage of completions", _CALLS | _INPUT | _OUTPUT, ("chat", "responses", "completion", "realtime")
    ),
    "organization.usage.embeddings.result": _Kind("usage of embeddings", _CALLS | _INPUT, ("embedding",)),
    "organization.usage.moderations.result": _Kind("usage of moderations", _CALLS, ("moderation",)),
    "organization.usage.images.result": _Kind("usage of images", _CALLS | {"images": "images"}, ("image",)),
    "organization.usage.audio_speeches.result": _Kind(
        "usage of speeches", _CALLS | {"characters": "characters"}, ("speech",)
    ),
    "organization.usage.audio_transcriptions.result": _Kind(
        "usage of transcriptions", _CALLS | {"seconds": "seconds"}, ("transcription",)
    ),
    "organization.costs.result": _Kind("costs", {"amount": "cost"}, None),
}


def read_openai(where: str, data: bytes) -> Export:
    """Read one page. Raises `GatewayError` for what is none, naming the place in it."""
    try:
        page = msgspec.json.decode(data, type=_Page)
    except msgspec.DecodeError as error:
        raise GatewayError(f"{where}: not a page of OpenAI's usage or costs: {error}") from error
    results = [result for bucket in page.data for result in bucket.results]
    objects = {result.object for result in results}
    if len(objects) != 1:
        raise GatewayError(
            f"{where}: holds {'several kinds of' if objects else 'no'} results; give one kind a file."
        )
    (name,) = objects
    kind = _KINDS.get(name)
    if kind is None:
        raise GatewayError(
            f"{where}: the ledger has nothing to compare with '{name}'. It has: {', '.join(_KINDS)}."
        )
    told = {
        field: own for field, own in kind.fields.items() if all(_has(result, field) for result in results)
    }
    for bucket in page.data:
        check_span(where, bucket.start_time, bucket.end_time)
    return Export(
        kind=kind.name,
        measures=tuple(told.values()),
        capabilities=kind.capabilities,
        buckets=[
            Bucket(
                start=bucket.start_time,
                end=bucket.end_time,
                lines=[_line(where, result, told) for result in bucket.results],
            )
            for bucket in page.data
        ],
    )


def _has(result: _Result, field: str) -> bool:
    return getattr(result, field) is not None


def _line(where: str, result: _Result, told: Mapping[str, str]) -> Line:
    if result.amount is not None:
        model = None if result.line_item is None else result.line_item.rsplit(", ", 1)[0]
        return Line(model=model, values={"cost": nano(where, result.amount.value, result.amount.currency)})
    return Line(model=result.model, values={own: getattr(result, field) for field, own in told.items()})
