"""Batches of requests, carried out call by call. https://platform.openai.com/docs/api-reference/batch."""

from __future__ import annotations

from gateway.batches.means import Means
from gateway.batches.runner import Runner

__all__ = ["Means", "Runner"]
