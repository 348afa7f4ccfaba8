"""Settings that must not be seen: given as a literal, by an environment variable, or in a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import core_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue

REDACTED = "**********"
"""What everybody but `Secret.reveal` shows instead of a literal secret."""


class MissingSecret(ValueError):
    """The place a secret should come from holds none.

    `variable` names the environment variable that is unset (or empty); None when a file could not be read.
    """

    def __init__(self, message: str, *, variable: str | None = None) -> None:
        super().__init__(message)
        self.variable = variable


class Secret:
    """A secret in a plugin's `Config`: `"literal"`, `{ env = "NAME" }` or `{ file = "path" }`.

    It is read once, when the config is validated. Only `reveal` gives it away: `repr`, `str`, JSON and `model_dump`
    show where it came from instead. A relative file is looked for beside plugins.toml.
    """

    __slots__ = ("_origin", "_value")

    def __init__(self, value: str, *, origin: Mapping[str, str] | None = None) -> None:
        self._value = value
        self._origin = dict(origin) if origin else None

    def reveal(self) -> str:
        """Give the secret itself. Keep it out of logs, errors and answers."""
        return self._value

    def replace(self, value: str) -> Secret:
        """Give a secret of the same origin with another value."""
        return Secret(value, origin=self._origin)

    def __repr__(self) -> str:
        return f"Secret({self._redacted()!r})"

    def __str__(self) -> str:
        return REDACTED

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def _redacted(self) -> str | dict[str, str]:
        return dict(self._origin) if self._origin else REDACTED

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: Any, _handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(
            _validate,
            serialization=core_schema.plain_serializer_function_ser_schema(cls._redacted),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _schema: core_schema.CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {
            "anyOf": [
                {"type": "string", "minLength": 1, "description": "The secret itself."},
                _one_key("env", "Name of the environment variable that holds the secret."),
                _one_key("file", "Path of the file that holds the secret, relative to this file."),
            ]
        }


def _one_key(key: str, description: str) -> JsonSchemaValue:
    return {
        "type": "object",
        "properties": {key: {"type": "string", "minLength": 1, "description": description}},
        "required": [key],
        "additionalProperties": False,
    }


def _validate(value: Any, info: core_schema.ValidationInfo) -> Secret:
    match value:
        case Secret():
            return value
        case str() if value.strip():
            return Secret(value)
        case {"env": str(name), **rest} if name and not rest:
            return _from_environment(name)
        case {"file": str(path), **rest} if path and not rest:
            context: dict[str, Path] = info.context or {}
            return _from_file(path, context.get("folder", Path()))
        case _:
            problem = 'must be a string that is not empty, { env = "NAME" } or { file = "path" }'
            raise ValueError(problem)


def _from_environment(name: str) -> Secret:
    value = os.environ.get(name, "").strip()  # noqa: TID251 - one of the two places that read the environment
    if not value:
        raise MissingSecret(f"environment variable {name} is not set", variable=name)
    return Secret(value, origin={"env": name})


def _from_file(path: str, folder: Path) -> Secret:
    file = folder / Path(path).expanduser()
    try:
        value = file.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise MissingSecret(f"secret file {path} is not UTF-8 text") from None
    except OSError as error:
        raise MissingSecret(f"secret file {path} cannot be read: {error.strerror}") from None
    if not value:
        raise MissingSecret(f"secret file {path} is empty")
    return Secret(value, origin={"file": path})
