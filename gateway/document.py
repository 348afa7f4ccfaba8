"""plugins.toml as text and as data: where each key stands, and how a problem with it is worded."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias, cast

from gateway.errors import ConfigError
from gateway.positions import Key, positions

Data: TypeAlias = Mapping[str, Any]
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SYNTAX_ERROR = re.compile(
    r"(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)"
)


@dataclass(frozen=True, slots=True)
class Document:
    """The parsed config and the places of its keys. Given as a mapping, it has no path and no places."""

    data: Data
    folder: Path
    """What relative paths in the config are relative to."""
    path: Path | None = None
    places: Mapping[Key, int] = field(default_factory=dict[Key, int])
    """Line numbers, from 1, in the order of the file."""

    @classmethod
    def from_file(cls, path: Path) -> Document:
        """Read a TOML file. Raises `ConfigError` when it cannot be read or is not TOML."""
        try:
            text = path.read_text(encoding="utf-8-sig")  # some editors on Windows write the mark
        except FileNotFoundError:
            raise ConfigError(
                [
                    f"{path}: no such file; write one with `gateway init`, or name another with -c or GATEWAY_CONFIG"
                ]
            ) from None
        except UnicodeDecodeError as error:
            raise ConfigError([f"{path}: not UTF-8 text (byte {error.start})"]) from None
        except OSError as error:
            raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError([_syntax_problem(path, text, error)]) from None
        return cls(data, path.absolute().parent, path, positions(text))

    def in_order(self, paths: Iterable[Key]) -> list[Key]:
        """Sort keys as they stand in the file; a mapping keeps its own order."""
        order = {key: number for number, key in enumerate(self.places)}
        return sorted(paths, key=lambda path: order.get(path, 0))

    def problem(self, path: Key, message: str) -> Problem:
        """Word a problem with the value at `path`, for instance `("provider", "openai", "base_ulr")`."""
        depth = 0
        inner: Any = self.data
        for part in path if _is_table(path) else path[:-1]:
            inner = cast("Data", inner).get(str(part))
            if not isinstance(inner, Mapping):
                break
            depth += 1
        table = ".".join(_quoted(part) for part in path[:depth])
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{_quoted(part)}" for part in path[depth:])
        subject = " ".join(filter(None, [f"[{table}]" if table else "", key.removeprefix(".")]))
        line = self._line(path)
        where = f"{self.path}:{line}: " if line else f"{self.path}: " if self.path else ""
        return Problem(line, f"{where}{subject}: {message}" if subject else f"{where}{message}")

    def _line(self, path: Key) -> int:
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, 0)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong, and the line it is on (0 when unknown)."""

    line: int
    text: str


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Suggest the known word that is closest: `, did you mean 'x'?`, or nothing."""
    close = get_close_matches(word, list(known), n=1)
    return f", did you mean '{close[0]}'?" if close else ""


def _is_table(path: Key) -> bool:
    """Whether a path is known by its shape to be a table's: `[gateway]`, `[models.NAME]`, `[kind.NAME]`."""
    return len(path) == 1 or (len(path) == 2 and path[0] != "gateway")  # noqa: PLR2004 - kind and name


def _quoted(part: str | int) -> str:
    text = str(part)
    return text if _BARE.fullmatch(text) else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _syntax_problem(path: Path, text: str, error: tomllib.TOMLDecodeError) -> str:
    found = _SYNTAX_ERROR.fullmatch(str(error))
    if found is None:
        return f"{path}: not valid TOML: {error}"
    lines = text.splitlines() or [""]
    line = found["line"] or len(lines)
    column = found["column"] or len(lines[-1]) + 1
    what = found["what"]
    return f"{path}:{line}:{column}: not valid TOML: {what[:1].lower()}{what[1:]}"
