"""Clients of AWS's services."""

from typing import Any

import botocore.session
from botocore.config import Config


def client(service: str) -> Any:
    """Return an SDK client that gives up early enough, in 7 s at worst, for the caller to be told.

    It is botocore's own: what boto3 puts around it costs a cold start time and is not used (docs/performance.md).
    """
    retries: Any = {"mode": "standard", "total_max_attempts": 2}
    config = Config(connect_timeout=1, read_timeout=2, retries=retries)
    return botocore.session.get_session().create_client(service, config=config)
