"""Clients of AWS's services."""

from typing import Any

import boto3
from botocore.config import Config


def client(service: str) -> Any:
    """Return a boto3 client that gives up early enough, in 7 s at worst, for the caller to be told."""
    retries: Any = {"mode": "standard", "total_max_attempts": 2}
    return boto3.client(service, config=Config(connect_timeout=1, read_timeout=2, retries=retries))
