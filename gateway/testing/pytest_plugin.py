"""Fixtures for the tests of plugins; pytest loads this by itself where the gateway is installed."""
