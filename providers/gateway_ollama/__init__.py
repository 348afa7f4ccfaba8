"""Ollama: models on machines of one's own."""

from __future__ import annotations

from gateway_ollama.plugin import Ollama

__all__ = ["Ollama"]
