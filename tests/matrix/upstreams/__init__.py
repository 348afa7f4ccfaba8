"""Fake providers, each speaking its own dialect strictly."""
