"""Wire formats: pure translation between bytes and the gateway's values. No I/O, no plugins.

Each dialect is one module with one `Wire` object; `WIRES` finds it by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gateway.wire.dialect import Head, StreamCut, StreamFailed, StreamReader, Wire, WireError
from gateway.wire.openai_chat import OpenAIChat
from gateway.wire.openai_embeddings import OpenAIEmbeddings

__all__ = ["WIRES", "Head", "StreamCut", "StreamFailed", "StreamReader", "Wire", "WireError"]

WIRES: Mapping[str, Wire] = MappingProxyType({wire.name: wire for wire in (OpenAIChat(), OpenAIEmbeddings())})
"""Every dialect the gateway speaks, by name."""
