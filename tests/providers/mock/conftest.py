from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.plugin import Context
from gateway.protocols import Provider
from gateway_mock import Mock
from gateway_mock.provider import MockConfig


@pytest.fixture
def mock() -> Callable[..., Provider]:
    """Make a mock provider from its settings."""

    def make(**settings: Any) -> Provider:
        context = Context(client=None, database=None)  # pyright: ignore[reportArgumentType] - the mock uses neither
        (provider,) = Mock("mock", MockConfig(**settings), context).register_providers()
        return provider

    return make
