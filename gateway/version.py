"""The version, where every layer may read it; others do as `gateway.__version__`."""

__version__ = "0.1.0"
