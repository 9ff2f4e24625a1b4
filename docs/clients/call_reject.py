"""Rejects a call invitation with the token of its user. See docs/clients.md."""

import logging
import time
from collections.abc import Callable
from typing import Any

import requests
from requests import codes

logger = logging.getLogger(__name__)


def call_reject(url: str, token: Callable[[], str], request: dict[str, Any]) -> bool:
    """Reject a call and return True if it is rejected, queued or already over.

    Parameters
    ----------
    url
        CallRejectUrl, or CallRejectAsyncUrl to get a response before the call is rejected.
    token
        Returns a valid token of the user; called before each attempt.
    request
        `CallId`, `ExpiresAt` and optionally `Reason` or `ExtendedData`. ExpiresAt is the Unix time in seconds when the
        invitation stops ringing. No retry starts later.
    """

    def authorize(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        prepared.headers["Authorization"] = f"Bearer {token()}"
        return prepared

    expires_at = request["ExpiresAt"]
    pause = 1
    while True:
        wait = pause
        try:
            # With `headers` instead of `auth`, an entry for the host in a .netrc file would replace the token.
            response = requests.post(url, json=request, auth=authorize, allow_redirects=False, timeout=30)
        except Exception as error:  # noqa: BLE001 - token can raise any error of your issuer's SDK
            logger.warning("CallReject: no response, or no token: %s", error)
        else:
            status = response.status_code
            if status in {200, 202, 409}:
                return True
            problem = _problem(response)
            logger.error("CallReject: %d %s", status, problem.get("type") or problem.get("message"))
            if not problem.get("retryable", status == codes.too_many_requests or status >= codes.server_error):
                return False
            retry_after = response.headers.get("Retry-After", "")
            wait = int(retry_after) if retry_after.isdecimal() else pause
        if time.time() + wait >= expires_at:
            return False
        time.sleep(wait)
        pause = min(pause * 2, 30)


def _problem(response: requests.Response) -> dict[str, Any]:
    try:
        problem = response.json()
    except requests.JSONDecodeError:
        return {}
    return problem if isinstance(problem, dict) else {}
