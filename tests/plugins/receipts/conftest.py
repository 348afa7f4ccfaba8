"""Databases of both kinds; see the core's tests."""

from __future__ import annotations

from ...gateway.conftest import database_url

__all__ = ["database_url"]
