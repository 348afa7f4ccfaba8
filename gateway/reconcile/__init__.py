"""The ledger beside what a provider says: its usage exports are read, compared, and every difference is told."""

from __future__ import annotations

from gateway.reconcile.compare import Difference, Tolerance
from gateway.reconcile.export import Export
from gateway.reconcile.reading import FORMATS, read
from gateway.reconcile.reconcile import Question, Result, reconcile

__all__ = ["FORMATS", "Difference", "Export", "Question", "Result", "Tolerance", "read", "reconcile"]
