"""What is known of models: what each can do, its limits, its dates, its prices; as data, one file per provider."""

from __future__ import annotations

from gateway.catalogue.catalogue import ModelCatalogue
from gateway.catalogue.model import CAPABILITIES, KINDS, Model
from gateway.catalogue.price import Price, Units

__all__ = ["CAPABILITIES", "KINDS", "Model", "ModelCatalogue", "Price", "Units"]
