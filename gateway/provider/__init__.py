"""What provider plugins for services over HTTP share: settings, credentials in turn, sending, and the wording of failures."""

from __future__ import annotations

from gateway.provider.config import ServiceConfig
from gateway.provider.credentials import Credential, Credentials
from gateway.provider.failures import Failures
from gateway.provider.kinds import Together
from gateway.provider.paths import OwnPaths
from gateway.provider.refusals import Scrubber
from gateway.provider.renewal import Renewal
from gateway.provider.service import Service

__all__ = [
    "Credential",
    "Credentials",
    "Failures",
    "OwnPaths",
    "Renewal",
    "Scrubber",
    "Service",
    "ServiceConfig",
    "Together",
]
