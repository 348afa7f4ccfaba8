"""Gemini, from AI Studio or Vertex AI, and Anthropic's models on Vertex AI."""

from __future__ import annotations

from gateway_gemini.plugin import Gemini

__all__ = ["Gemini"]
