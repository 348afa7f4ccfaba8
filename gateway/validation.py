"""Validate a part of the config with pydantic, and word what is wrong for the person who wrote it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from gateway.document import did_you_mean
from gateway.secrets import MissingSecret

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from gateway.document import Document, Problem
    from gateway.positions import Key

_WANTED = {
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "string_type": "a string",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
}
"""What TOML calls the types that pydantic asks for."""

ModelT = TypeVar("ModelT", bound=BaseModel)


class Invalid(Exception):
    """The values do not fit the model."""

    def __init__(self, problems: Sequence[Problem], unset: Sequence[str]) -> None:
        super().__init__(*(problem.text for problem in problems))
        self.problems = problems
        self.unset = unset
        """Environment variables to set; empty unless they are all that is missing."""


def validate(model: type[ModelT], document: Document, path: Key, values: Mapping[str, Any]) -> ModelT:
    """Make a `model` of the table at `path`. Raises `Invalid` with every problem in it."""
    try:
        return model.model_validate(values, context={"folder": document.folder})
    except ValidationError as error:
        found = _by_place(error.errors(include_url=False), values)
        raise Invalid(
            [
                document.problem((*path, *place), _worded(details, model, place))
                for place, details in found.items()
            ],
            _unset_variables(found.values()),
        ) from None


def _by_place(errors: Sequence[ErrorDetails], values: Mapping[str, Any]) -> dict[Key, ErrorDetails]:
    """One error for each place; where a union failed, what a validator has to say is worth most."""
    found: dict[Key, ErrorDetails] = {}
    for details in errors:
        place = _place(details, values)
        if place not in found or details["type"] == "value_error":
            found[place] = details
    return {
        place: details
        for place, details in found.items()
        # A list whose items are wrong is short only for want of these.
        if details["type"] != "too_short" or not any(place == other[: len(place)] != other for other in found)
    }


def _place(details: ErrorDetails, values: Mapping[str, Any]) -> Key:
    """Where in the values the error is: pydantic's location without the names of validators and union members."""
    place: Key = ()
    inner: Any = values
    for part in details["loc"]:
        try:
            inner = inner[part]
        except (LookupError, TypeError):
            continue
        place = (*place, part)
    return (*place, details["loc"][-1]) if details["type"] == "missing" else place


def _worded(details: ErrorDetails, model: type[BaseModel], place: Key) -> str:
    match details["type"]:
        case "extra_forbidden":
            known = _keys(model, place[:-1])
            known_keys = f"; known keys: {', '.join(known)}" if known else "; there are no keys here"
            return f"unknown key{did_you_mean(str(place[-1]), known) or known_keys}"
        case "missing":
            return "required key is missing"
        case "value_error" | "assertion_error":
            return str(details.get("ctx", {}).get("error", details["msg"]))
        case "too_short":
            return f"must have at least {details.get('ctx', {})['min_length']} item"
        case kind if kind in _WANTED:
            return f"must be {_WANTED[kind]}, {_given(details)}"
        case _:
            wanted = details["msg"].replace("Input should be", "must be", 1)
            return f"{wanted[:1].lower()}{wanted[1:]}, {_given(details)}"


def _given(details: ErrorDetails) -> str:
    """What stands there. Text may be a secret in the wrong place, so only a wrong choice of words is repeated."""
    value: Any = details["input"]
    if isinstance(value, bool | int | float) or details["type"] == "literal_error":
        given = str(value).lower() if isinstance(value, bool) else repr(value)
        return f"not {given}{did_you_mean(value, _choices(details)) if isinstance(value, str) else ''}"
    kinds = {"str": "a string", "list": "a list", "dict": "a table"}
    kind = type(value).__name__
    return f"not {kinds.get(kind, kind)}"


def _choices(details: ErrorDetails) -> list[str]:
    return str(details.get("ctx", {}).get("expected", "")).replace(" or ", ", ").replace("'", "").split(", ")


def _keys(model: type[BaseModel], place: Key) -> list[str]:
    """The keys that the table at `place` within the model may have."""
    for part in place:
        inner = model.model_fields.get(str(part))
        if inner is not None:
            model = next(iter(_models(inner.annotation)), model)
    return [field.alias or name for name, field in model.model_fields.items()]


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _unset_variables(errors: Iterable[ErrorDetails]) -> list[str]:
    causes = [details.get("ctx", {}).get("error") for details in errors]
    unset = [cause.variable for cause in causes if isinstance(cause, MissingSecret) and cause.variable]
    return unset if len(unset) == len(causes) else []
