"""What the README and docs/rate-limit.md claim, measured."""
