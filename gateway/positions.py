"""Find the line of every key in a TOML text; `tomllib` gives values without positions."""

from __future__ import annotations

import re
import tomllib
from typing import TypeAlias

Key: TypeAlias = tuple[str | int, ...]
"""The way to a value: names of tables and keys, and indexes into arrays."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^\s,\]}#]+(?: \d[^\s,\]}#]*)?")  # a date and its time may stand apart


def positions(text: str) -> dict[Key, int]:
    """Map each key to the line (from 1) where it first appears, in the order of the text.

    The text must be valid TOML: parse it with `tomllib` first.
    """
    return _Scanner(text).scan()


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text.replace("\r\n", "\n")
        self.at = 0
        self.lines: dict[Key, int] = {}
        self.tables_seen: dict[Key, int] = {}
        """How many `[[tables]]` an array has so far."""
        self._line = 1
        self._counted = 0

    def scan(self) -> dict[Key, int]:
        table: Key = ()
        while self._skip(_BLANK) < len(self.text):
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._assignment(table)
        return self.lines

    def _header(self) -> Key:
        array = self.text.startswith("[[", self.at)
        self.at += 2 if array else 1
        table: Key = ()
        for name in self._dotted():
            table = self._inside((*table, name))
        if array:
            table = table[:-1] if any(isinstance(part, int) for part in table[-1:]) else table
            self.tables_seen[table] = self.tables_seen.get(table, 0) + 1
            table = self._inside(table)
        self.at += 2 if array else 1
        return table

    def _inside(self, table: Key) -> Key:
        """Enter a table; of an array of tables the last one."""
        self._note(table)
        count = self.tables_seen.get(table)
        if count is None:
            return table
        self._note((*table, count - 1))
        return (*table, count - 1)

    def _assignment(self, table: Key) -> None:
        path = table
        for name in self._dotted():
            path = (*path, name)
            self._note(path)
        self.at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)

    def _value(self, path: Key) -> None:
        first = self.text[self.at]
        if first == "[":
            self._array(path)
        elif first == "{":
            self._inline_table(path)
        else:
            self._skip(_STRING if first in "\"'" else _SCALAR)

    def _array(self, path: Key) -> None:
        self.at += 1
        index = 0
        while self.text[self._skip(_BLANK)] != "]":
            self._note((*path, index))
            self._value((*path, index))
            index += 1
            if self.text[self._skip(_BLANK)] == ",":
                self.at += 1
        self.at += 1

    def _inline_table(self, path: Key) -> None:
        self.at += 1
        while self.text[self._skip(_BLANK)] != "}":
            self._assignment(path)
            if self.text[self._skip(_BLANK)] == ",":
                self.at += 1
        self.at += 1

    def _dotted(self) -> list[str]:
        names: list[str] = []
        while True:
            start = self._skip(_SPACE)
            if self.text[start] in "\"'":
                quoted = self.text[start : self._skip(_STRING)]
                names.append(tomllib.loads(f"name = {quoted}")["name"])
            else:
                names.append(self.text[start : self._skip(_BARE)])
            if self.text[self._skip(_SPACE)] != ".":
                return names
            self.at += 1

    def _skip(self, pattern: re.Pattern[str]) -> int:
        """Move behind a match of the pattern, and say where that is."""
        found = pattern.match(self.text, self.at)
        if found is None:
            raise ValueError(f"no key or value on line {self.text.count(chr(10), 0, self.at) + 1}")
        self.at = found.end()
        return self.at

    def _note(self, path: Key) -> None:
        if path not in self.lines:
            self._line += self.text.count("\n", self._counted, self.at)
            self._counted = self.at
            self.lines[path] = self._line
