"""Amazon Bedrock."""

from __future__ import annotations

from gateway_bedrock.plugin import Bedrock

__all__ = ["Bedrock"]
