"""What ends the handling of something that Stripe tells."""

from __future__ import annotations


class Refused(Exception):
    """It does not fit what we know: nothing is credited, and a person must look."""


class NotOurs(Exception):
    """It is of something else that the same account sells."""
