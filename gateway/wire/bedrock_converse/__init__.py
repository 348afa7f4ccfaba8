"""Amazon Bedrock's Converse. https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html."""

from __future__ import annotations

from gateway.wire.bedrock_converse.codec import BedrockConverse

__all__ = ["BedrockConverse"]
