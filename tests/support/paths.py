"""Paths in the repository that the tests read."""

from local.paths import BUILT, EVENTS, OPENAPI, ROOT

__all__ = ["BUILT", "DOCS", "EVENTS", "FUNCTIONS", "LAYER_SOURCE", "OPENAPI", "ROOT", "TEMPLATE"]

DOCS = ROOT / "docs"
FUNCTIONS = ROOT / "functions"
LAYER_SOURCE = ROOT / "layers" / "zim"
TEMPLATE = ROOT / "template.yaml"
