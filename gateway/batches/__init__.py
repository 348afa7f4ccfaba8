"""Batches of requests, carried out call by call. https://platform.openai.com/docs/api-reference/batch."""

from __future__ import annotations

from gateway.batches.means import Means
from gateway.batches.runner import Runner
from gateway.batches.usage import usage_of

__all__ = ["Means", "Runner", "usage_of"]
