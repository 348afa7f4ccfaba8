"""Where `gateway login` keeps sessions: one file that only its owner can read."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Final

import click
import msgspec
from msgspec import Struct

_NAME: Final = "logins.json"


class Login(Struct, frozen=True, kw_only=True):
    """A session at one gateway."""

    access: str
    refresh: str
    expires_at: float
    """Unix seconds; of the access token."""


_decode = msgspec.json.Decoder(dict[str, Login]).decode


class Logins:
    """The sessions, by the URL of their gateway."""

    def __init__(self) -> None:
        self.path = Path(click.get_app_dir("asgi-gateway")) / _NAME

    def find(self, url: str) -> Login | None:
        """The session at a gateway. Raises `ClickException` for a file that cannot be read."""
        return self._all().get(url)

    def keep(self, url: str, login: Login) -> None:
        """Write a session down, in place of the one before."""
        self._write({**self._all(), url: login})

    def drop(self, url: str) -> None:
        """Forget a session."""
        others = self._all()
        if others.pop(url, None) is not None:
            self._write(others)

    def _all(self) -> dict[str, Login]:
        try:
            return _decode(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError) as error:
            raise click.ClickException(
                f"{self.path} cannot be read: {error}. Delete it, and sign in again with `gateway login`."
            ) from error

    def _write(self, logins: dict[str, Login]) -> None:
        """Replace the file in one step; it is never there with less than its owner's rights alone."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            number, name = tempfile.mkstemp(dir=self.path.parent, prefix=_NAME)  # made with mode 0600
            try:
                with os.fdopen(number, "wb") as file:
                    file.write(msgspec.json.format(msgspec.json.encode(logins), indent=2))
                Path(name).replace(self.path)
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    Path(name).unlink()
                raise
        except OSError as error:
            raise click.ClickException(f"{self.path} cannot be written: {error}") from error
