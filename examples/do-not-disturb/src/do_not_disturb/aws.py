"""Settings for clients of AWS services."""

from botocore.config import Config

# ZIM waits some seconds for the response to a callback, so a service that does not respond must fail early.
CONFIG = Config(connect_timeout=1, read_timeout=1, retries={"mode": "standard", "total_max_attempts": 2})
