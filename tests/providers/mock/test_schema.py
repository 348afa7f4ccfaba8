from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal, Union
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, TypeAdapter, create_model

from gateway_mock.schema import instance


class Leaf(BaseModel):
    word: str
    colour: Literal["red", "green"]


class Tree(BaseModel):
    left: Tree | None
    right: Tree | None
    leaves: list[Leaf]


class Chain(BaseModel):
    following: list[Chain]


class Event(BaseModel):
    at: datetime
    day: date
    id: UUID
    kind: Union[Leaf, int]  # noqa: UP007 - as generated clients write it
    place: tuple[int, str]


@pytest.mark.parametrize("model", [Leaf, Tree, Chain, Event])
def test_models_of_pydantic_take_their_instance(model: type[BaseModel]):
    model.model_validate(instance(model.model_json_schema()))


@st.composite
def bounded(draw: st.DrawFn) -> Any:
    """Draw a type with bounds of some sort."""
    low, extra = draw(st.integers(-99, 99)), draw(st.integers(0, 9))
    return draw(
        st.sampled_from(
            [
                Annotated[int, Field(ge=low, le=low + extra)],
                Annotated[int, Field(gt=low, lt=low + 2)],
                Annotated[int, Field(multiple_of=extra + 1, ge=low)],
                Annotated[float, Field(gt=low, lt=low + 0.5)],
                Annotated[float, Field(ge=low, multiple_of=0.5)],
                Annotated[str, Field(min_length=3 * extra, max_length=3 * extra + 1)],
            ]
        )
    )


@st.composite
def nested(draw: st.DrawFn, depth: int = 0) -> Any:
    """Draw a type as it may stand in the signature of a tool."""
    if depth == 3 or draw(st.booleans()):
        plain = [str, bool, date, datetime, UUID, Leaf, Literal["a", 1], type(None)]
        return draw(st.one_of(bounded(), st.sampled_from(plain)))
    one, two = draw(nested(depth + 1)), draw(nested(depth + 1))
    few = draw(st.integers(0, 3))
    made: Any = create_model("Made", first=(one, ...), second=(two, ...))
    sized: Any = Annotated[list[one], Field(min_length=few, max_length=few + 1)]
    return draw(st.sampled_from([list[one], one | None, sized, tuple[one, two], made]))


@given(nested())
def test_every_type_takes_its_instance(kind: Any):
    adapter = TypeAdapter(kind)
    adapter.validate_python(instance(adapter.json_schema()), strict=False)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({}, "example"),
        (True, "example"),
        ({"const": None}, None),
        ({"type": ["null", "integer"]}, 1),
        ({"required": ["a"]}, {"a": "example"}),
        (
            {"allOf": [{"required": ["a"]}, {"required": ["b"], "properties": {"b": {"type": "null"}}}]},
            {"a": "example", "b": None},
        ),
        ({"$ref": "#/definitions/a~1b", "definitions": {"a/b": {"type": "boolean"}}}, True),
        ({"$ref": "https://example.com/elsewhere"}, "example"),
        ({"$ref": "#"}, "example"),
        ({"type": "array", "items": {"type": "null"}, "maxItems": 0}, []),
    ],
    ids=str,
)
def test_corners(schema: Any, expected: Any):
    assert instance(schema) == expected
