"""The service of this execution environment, created once. Functions that call ZIM import this module first.

The order of the statements matters: threads connect to ZIM while the main thread imports botocore, and another one
reads the secret while the main thread imports the rest.
"""

import gc
import os
import time

# Garbage collection takes 8 % of the import time, and finds little.
gc.disable()

from zim.connection import Connector  # noqa: E402
from zim.settings import Settings  # noqa: E402

MAX_WAIT_SECONDS = 1.0
"""The longest wait for the connection and the secret during INIT. After that, the first request waits."""

# A snapshot must not contain connections or secrets.
_is_snapshot = os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start"

_settings = Settings.from_environment(os.environ)
_connector = Connector(_settings.api_base_url)
if not _is_snapshot:
    _connector.prepare()
_connector.load_certificates()

from zim.aws import client  # noqa: E402
from zim.credentials import CredentialsStore  # noqa: E402

_credentials = CredentialsStore(_settings.secret_id, client("secretsmanager"))
if not _is_snapshot:
    _credentials.prefetch()

from snapshot_restore_py import register_after_restore  # noqa: E402

from zim.call_reject import CallRejectService  # noqa: E402
from zim.rate_limit import RateLimitWindow  # noqa: E402
from zim.request import CallRejectRequest  # noqa: E402
from zim.server_api import ServerApi  # noqa: E402

service = CallRejectService(
    _credentials,
    RateLimitWindow(_settings.calls_per_second, _settings.reserved_concurrency),
    ServerApi(_settings.api_base_url, _connector),
)


def _after_restore() -> None:
    service.reset()
    _connector.prepare()
    _credentials.prefetch()


register_after_restore(_after_restore)  # SnapStart

# The first validation compiles regular expressions.
CallRejectRequest.from_dict({"FromUserId": "user", "CallId": "call"})

if not _is_snapshot:
    _deadline = time.monotonic() + MAX_WAIT_SECONDS
    _connector.wait(MAX_WAIT_SECONDS)
    _credentials.wait(max(_deadline - time.monotonic(), 0))

gc.freeze()  # never look for garbage in what is imported
gc.enable()
