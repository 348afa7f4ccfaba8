"""What the models of the admin API have in common: of queries, of bodies, of answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar, cast, overload

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    model_validator,
)

T = TypeVar("T")


class ShownOnce:
    """Marks a field, as `key: Annotated[str | None, ShownOnce()] = None`: a secret that a replay does not hold."""

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Say so in the OpenAPI document."""
        return {**handler(schema), "x-shown-once": True}


class _Input(BaseModel):
    @model_validator(mode="before")
    @classmethod
    def _without_nul(cls, data: Any) -> Any:
        if _has_nul(data):
            raise ValueError("text must not hold the character U+0000")  # PostgreSQL cannot store it
        return data


class Query(_Input):
    """Base of query parameters: unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Body(_Input):
    """Base of JSON bodies: unknown fields are refused, and nothing is converted.

    What a PATCH did not name is told by `model_fields_set`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class PageQuery(Query):
    """Base of the query of a list."""

    limit: int = Field(default=50, ge=1, le=200, description="How many entries at most.")
    cursor: str | None = Field(
        default=None, max_length=1000, description="The `next_cursor` of the page before."
    )


class Shown(BaseModel):
    """Base of answers.

    A field `revision: int` becomes the ETag; that of a new object with an `id` goes with its `Location`.
    """

    model_config = ConfigDict(frozen=True)


class Page(Shown, Generic[T]):
    """One page of a list."""

    data: list[T]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last.")

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """Name it in the OpenAPI document."""
        return f"{params[0].__name__}Page"


def _as_several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Several = Annotated[tuple[T, ...], BeforeValidator(_as_several)]
"""A query parameter that may be repeated."""


def _with_plus(value: Any) -> Any:
    return value.replace(" ", "+") if isinstance(value, str) else value  # a plus sign that nobody encoded


def showable(value: datetime) -> datetime:
    """Take a time with its zone. Raises `ValueError` where it could not be shown again: in UTC it has another year."""
    try:
        moment(value.timestamp())
    except (ValueError, OverflowError):
        raise ValueError("must lie within the years 1 to 9999, in UTC") from None
    return value


def _in_utc(value: datetime) -> datetime:
    return showable(value.replace(tzinfo=UTC) if value.tzinfo is None else value)


Moment = Annotated[datetime, BeforeValidator(_with_plus), AfterValidator(_in_utc)]
"""A query parameter for a time: RFC 3339, in UTC where it does not say otherwise, or Unix seconds."""


@overload
def moment(seconds: float) -> datetime: ...
@overload
def moment(seconds: None) -> None: ...
@overload
def moment(seconds: float | None) -> datetime | None: ...
def moment(seconds: float | None) -> datetime | None:
    """Unix seconds as an answer shows them: RFC 3339 in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _has_nul(data: Any) -> bool:
    if isinstance(data, str):
        return "\0" in data
    if isinstance(data, dict):
        fields = cast("dict[Any, Any]", data)
        return any(_has_nul(part) for pair in fields.items() for part in pair)
    return isinstance(data, list | tuple) and any(map(_has_nul, cast("Sequence[Any]", data)))
