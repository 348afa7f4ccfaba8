"""The catalogue: the models of all providers, each provider's file read when it is first asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from gateway.catalogue.model import ANY, KINDS, Model
from gateway.catalogue.reading import Fields, Page, read
from gateway.errors import ConfigError

_SNAPSHOT: Final = re.compile(r"(.+)-20\d\d(?:-\d\d-\d\d|\d{4})")
"""A family and the day of a snapshot: `gpt-4o-2024-11-20`, `claude-haiku-4-5-20251001`."""


def family_of(name: str) -> str | None:
    """The family of a dated snapshot; None for what is none."""
    snapshot = _SNAPSHOT.fullmatch(name)
    return snapshot[1] if snapshot else None


class ModelCatalogue:
    """What is known of models, by provider (the name under which it sells them) and model.

    A dated snapshot is known as its family is, unless it is listed. `*` stands for every model of a provider.
    """

    def __init__(self, own: Page | None = None, *, where: str = "") -> None:
        """`own` is the operator's book, which is asked first; `where` is its path, for errors."""
        self._own: Mapping[str, Mapping[str, Fields]] = own.models if own is not None else {}
        self._where = where
        self._files = {
            path.name.removesuffix(".toml"): path
            for path in files("gateway.catalogue").joinpath("data").iterdir()
            if path.name.endswith(".toml")
        }
        self._models: dict[str, Mapping[str, Model]] = {}
        self._like: dict[str, str] = {}

    @classmethod
    def load(cls, extra: Path | None = None) -> ModelCatalogue:
        """Know what ships with the gateway, and what an extra file in the same format adds or says otherwise.

        Raises `ConfigError` that names every entry of the extra file which cannot be used.
        """
        if extra is None:
            return cls()
        try:
            text = extra.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise ConfigError([f"{extra}: cannot read the price book: {reason}"]) from error
        own = read(text, str(extra))
        catalogue = cls(own, where=str(extra))
        for provider in own.models:
            catalogue.models(provider)
        return catalogue

    @property
    def providers(self) -> tuple[str, ...]:
        """The names of all providers whose models are known."""
        return tuple(sorted({*self._files, *self._own}))

    def models(self, provider: str) -> Mapping[str, Model]:
        """Return what is listed under a provider by name, in the order of its file; `*` is not a name."""
        return {name: model for name, model in self._listed(provider).items() if name != ANY}

    def find(self, provider: str, name: str) -> Model | None:
        """Return what is known of a model, listed or not; None when that is nothing."""
        return self._found(self._listed(provider), provider, name)

    def knows_any(self, provider: str) -> bool:
        """Whether a model that is not found is worth a word: its provider's models are known by name."""
        models = self._listed(provider)
        return (len(models) > 0 and ANY not in models) or provider in self._like

    def _found(self, models: Mapping[str, Model], provider: str, name: str) -> Model | None:
        found = models.get(name)
        if found is None and (family := family_of(name)):
            found = models.get(family)
        if found is None and provider in self._like:
            found = self.find(self._like[provider], name)
        return found or models.get(ANY)

    def _listed(self, provider: str) -> Mapping[str, Model]:
        models = self._models.get(provider)
        if models is None:
            shipped = self._shipped(provider) if provider in self._files else {}
            models = self._models[provider] = self._with_own(provider, shipped)
        return models

    def _shipped(self, provider: str) -> dict[str, Model]:
        path: Traversable = self._files[provider]
        page = read(path.read_text("utf-8"), f"gateway/catalogue/data/{path.name}")
        if page.like is not None:
            self._like[provider] = page.like
        return {
            name: Model(name=name, provider=provider, **fields)
            for name, fields in page.models.get(provider, {}).items()
        }

    def _with_own(self, provider: str, models: dict[str, Model]) -> Mapping[str, Model]:
        problems: list[str] = []
        for name, fields in self._own.get(provider, {}).items():
            known = self._found(models, provider, name)
            if known is None and "kind" not in fields and name != ANY:
                problems.append(
                    f"{self._where}: [{provider}] {name!r}: kind: required for a model that is not known; one of {', '.join(KINDS)}"
                )
            elif known is None:
                models[name] = Model(name=name, provider=provider, **fields)
            else:
                changes = {**fields, "prices": (*fields.get("prices", ()), *known.prices)}
                models[name] = replace(known, name=name, provider=provider, **changes)
        if problems:
            raise ConfigError(problems)
        return models
