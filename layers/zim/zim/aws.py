"""Clients for AWS services."""

import logging
from typing import Any

import botocore.session
from botocore.config import Config

# At DEBUG these libraries log responses and URLs, and with them the secret, signatures and ExtendedData. urllib3 also
# logs the URL in a warning about a malformed header. A log level that is configured for the Lambda function applies to
# all libraries. This module creates the clients, one of which reads the secret before zim.telemetry is imported.
for _library, _level in (("botocore", logging.WARNING), ("urllib3", logging.ERROR)):
    logging.getLogger(_library).setLevel(_level)


def client(service: str) -> Any:
    """Return a botocore client that gives up after at most 7 s and ignores proxy settings in the environment.

    botocore, because importing boto3 costs a fifth of a cold start and adds nothing that is used here
    (docs/performance.md).
    """
    retries: Any = {"mode": "standard", "total_max_attempts": 2}
    # An empty dict, not None, keeps botocore from reading HTTPS_PROXY and the like, as for ZIM in zim.session.
    config = Config(connect_timeout=1, read_timeout=2, retries=retries, proxies={})
    return botocore.session.get_session().create_client(service, config=config)
