"""The built functions: their paths, Python with AWS's runtime client, and the environment variables."""

import os
from pathlib import Path

from local.paths import BUILT, ROOT

FUNCTION = BUILT / "CallRejectFunction"
LAYER = BUILT / "ZimLayer" / "python"
PYTHON: list[str | Path] = [ROOT / ".venv-lambda" / "bin" / "python", "-P", "-s"]
"""Python with awslambdaric, without the user's site-packages and the current folder on its path."""


def environment(**changes: str | None) -> dict[str, str]:
    """Return the function's environment variables. `changes` replace the defaults; None removes a variable."""
    variables = {
        "PATH": os.defpath,
        "PYTHONPATH": f"{FUNCTION}:{LAYER}",
        "PYTHONDONTWRITEBYTECODE": "1",  # in Lambda, /var/task and /opt are read-only
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "made-up",
        "AWS_SECRET_ACCESS_KEY": "made-up",
        "AWS_LAMBDA_FUNCTION_NAME": "call-reject",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "20",
        "ZIM_SECRET_ID": "zim",
        "CALLS_PER_SECOND": "1000",
        "OTHER_CALLS_PER_SECOND": "1",
        "ZIM_CALLS_PER_SECOND_LIMIT": "1001",
        "RESERVED_CONCURRENCY": "1",
        "EXPIRES_AFTER_SECONDS": "90",
        "POWERTOOLS_SERVICE_NAME": "call-reject",
        "POWERTOOLS_METRICS_NAMESPACE": "CallReject",
        "POWERTOOLS_LOG_LEVEL": "INFO",
        **changes,
    }
    return {name: value for name, value in variables.items() if value is not None}
