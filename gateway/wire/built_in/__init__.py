"""Tools that run at the provider: what one dialect calls them, in the words of another."""

from __future__ import annotations

from gateway.wire.built_in.calls import BuiltInCalls, prefix_of
from gateway.wire.built_in.past import lost_name
from gateway.wire.built_in.tools import SEARCH_OPTIONS, search_options, written

__all__ = ["SEARCH_OPTIONS", "BuiltInCalls", "lost_name", "prefix_of", "search_options", "written"]
