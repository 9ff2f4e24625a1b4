"""The SQS client of the functions at the queue."""

from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


def client() -> "SQSClient":
    """Return a client that gives up early enough, in 7 s at worst, for the caller to be told."""
    retries: Any = {"mode": "standard", "total_max_attempts": 2}
    made: SQSClient = boto3.client("sqs", config=Config(connect_timeout=1, read_timeout=2, retries=retries))
    return made
