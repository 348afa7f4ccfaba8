"""SQLAlchemy's asynchronous engine without the ORM, which `sqlalchemy.ext.asyncio` imports for its sessions.

Nobody opens one here, and the ORM takes as long to import as all the rest of a command, and 8 MB.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import URL
    from sqlalchemy.ext.asyncio import AsyncEngine

_PACKAGE = "sqlalchemy.ext.asyncio"


def create_engine(url: URL | str, **options: Any) -> AsyncEngine:
    """Make an engine, as `sqlalchemy.ext.asyncio.create_async_engine` does."""
    return _module().create_async_engine(url, **options)


def _module() -> Any:
    """Import the package's module `engine`, without what else the package imports when it is imported itself."""
    spec = None if _PACKAGE in sys.modules else find_spec(_PACKAGE)
    if spec is None:
        return import_module(f"{_PACKAGE}.engine")
    sys.modules[_PACKAGE] = module_from_spec(spec)
    try:
        return import_module(f"{_PACKAGE}.engine")
    finally:
        del sys.modules[_PACKAGE]  # whoever imports the package after this gets all of it
