"""What the functions behind HTTPS share: an HTTP API's event (payload format 2.0) in, its response out."""

import base64
import json
from typing import Any

from zim.outcome import Outcome


def body(event: dict[str, Any]) -> str | bytes | None:
    """Return the body of a request as the caller sent it."""
    sent: str | None = event.get("body")
    return base64.b64decode(sent) if sent and event.get("isBase64Encoded") else sent


def response(outcome: Outcome) -> dict[str, Any]:
    """Return the response that tells a caller of an outcome."""
    headers = {"Content-Type": "application/json" if outcome.kind.is_success() else "application/problem+json"}
    if outcome.retry_after is not None:
        headers["Retry-After"] = str(outcome.retry_after)
    return {"statusCode": outcome.kind.status, "headers": headers, "body": json.dumps(outcome.body())}
