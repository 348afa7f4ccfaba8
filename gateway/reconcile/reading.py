"""Finds out what a usage export is, reads it, and joins the files of one kind."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias

from msgspec.structs import replace

from gateway.errors import GatewayError
from gateway.reconcile.anthropic import read_anthropic
from gateway.reconcile.export import Bucket, Export, day_of
from gateway.reconcile.openai import read_openai
from gateway.reconcile.tabular import read_csv

Format: TypeAlias = Literal["openai", "anthropic", "csv"]
FORMATS: Final[Sequence[Format]] = ("openai", "anthropic", "csv")


def read(paths: Sequence[Path], format: Format | None, names: Mapping[str, str]) -> list[Export]:
    """Read files, in whatever order; pages of one kind become one export. Without a format it is told by what is there.

    `names` are those of a CSV's columns by ours. Raises `GatewayError` for a file that is none of this.
    """
    exports: dict[tuple[str, bool], Export] = {}
    for path in paths:
        export = _read(path, format, names)
        other = exports.get((export.kind, export.by_request))
        if other is not None:
            measures = [measure for measure in other.measures if measure in export.measures]
            export = replace(export, measures=measures, buckets=_joined(path, other.buckets, export.buckets))
        exports[export.kind, export.by_request] = export
    return list(exports.values())


def _read(path: Path, format: Format | None, names: Mapping[str, str]) -> Export:
    where = path.name
    try:
        data = path.read_bytes()
    except OSError as error:
        raise GatewayError(f"{path}: cannot be read: {error.strerror}.") from error
    kind = format or _guess(data)
    if kind == "openai":
        return read_openai(where, data)
    if kind == "anthropic":
        return read_anthropic(where, data)
    return read_csv(where, data, names)


def _guess(data: bytes) -> Format:
    if not data.lstrip().startswith((b"{", b"[")):
        return "csv"
    return "anthropic" if b'"starting_at"' in data else "openai"


def _joined(path: Path, one: Sequence[Bucket], other: Sequence[Bucket]) -> list[Bucket]:
    buckets = sorted([*one, *other], key=lambda bucket: bucket.start)
    for before, after in itertools.pairwise(buckets):
        if after.start < before.end:
            raise GatewayError(
                f"{path.name}: tells of {day_of(after.start)} what another file has told already."
            )
    return buckets
