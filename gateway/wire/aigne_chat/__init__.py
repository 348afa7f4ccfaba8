"""The chat of AIGNE's framework, as its hub takes it. https://github.com/AIGNE-io/aigne-framework."""

from __future__ import annotations

from gateway.wire.aigne_chat.codec import AigneChatCodec
from gateway.wire.aigne_chat.wire import AigneChat

__all__ = ["AigneChat", "AigneChatCodec"]
