"""Paths in the repository."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EVENTS = ROOT / "events"
OPENAPI = ROOT / "openapi.yaml"
BUILT = ROOT / ".aws-sam" / "build"
"""The output of `sam build`."""
