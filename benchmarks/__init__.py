"""Benchmarks: the figures in docs/performance.md and docs/rate-limit.md."""
