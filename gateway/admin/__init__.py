"""The admin API, under `/admin/api`: one resource per file."""

from __future__ import annotations

from typing import Final

PREFIX: Final = "/admin/api"
