"""Drawing pages with Jinja: what every template knows."""

from __future__ import annotations

import datetime as dt
import functools
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from gateway_console.languages import LANGUAGES
from gateway_console.pages import ago

if TYPE_CHECKING:
    from gateway_console.languages import Language
    from gateway_console.pages import Asked
    from gateway_console.static import Files

_FOLDER: Final = Path(__file__).parent / "templates"


class Drawing:
    """The templates, each compiled when it is first drawn."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._environment = Environment(
            loader=FileSystemLoader(_FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        icons: Any = self._environment.get_template("icons.html").module
        known: dict[str, Any] = self._environment.globals
        known.update(icon=icons.icon, way_icon=icons.way_icon)
        known["ui"] = self._environment.get_template("ui.html").module  # its own templates use the icons

    def draw(self, asked: Asked, template: str, values: dict[str, Any]) -> str:
        """Draw a template in the language of who asks."""
        language = asked.language
        done = asked.query.get("done")
        known: dict[str, Any] = {
            "asked": asked,
            "t": language.text,
            "lang": language.tag,
            "languages": LANGUAGES,
            "title": asked.desk.title,
            "url": functools.partial(_url, asked.base),
            "static": functools.partial(self._static, asked.base),
            "moment": functools.partial(_moment, language),
            "ago": functools.partial(_ago, language),
            "named": functools.partial(_named, language),
            "done": None if done is None else language.texts.get(f"done.{done}"),
        }
        return self._environment.get_template(template).render({**known, **values})

    def _static(self, base: str, name: str) -> str:
        return base + self._files.address(name)


def _url(base: str, path: str, **query: str) -> str:
    return base + path + (f"?{urlencode(query)}" if query else "")


def _named(language: Language, table: str, name: str, default: str | None = None) -> str:
    """What others named: by its text where there is one."""
    return language.or_else(f"{table}.{name}", default or name)


def _moment(language: Language, at: float, *, clock: bool = True) -> Markup:
    """A moment, or its day; the script shows it in the browser's own time zone."""
    when = dt.datetime.fromtimestamp(at, dt.UTC)
    shown = language.text(
        "time.moment" if clock else "time.date",
        year=when.year,
        month=language.text(f"time.month{when.month}"),
        day=when.day,
        clock=f"{when:%H:%M}",
    )
    return Markup('<time datetime="{}" data-{}>{}</time>').format(
        f"{when:%Y-%m-%dT%H:%M:%SZ}", "moment" if clock else "date", shown
    )


def _ago(language: Language, at: float) -> Markup:
    when = dt.datetime.fromtimestamp(min(at, time.time()), dt.UTC)
    return Markup('<time datetime="{}">{}</time>').format(f"{when:%Y-%m-%dT%H:%M:%SZ}", ago(language, at))
