"""The checks that all local servers make, because every web page can send requests to every port of this machine.

A browser adds an `Origin` to such requests. A page whose domain name resolves to 127.0.0.1 (DNS rebinding) has the
server's own origin, but also its own name as the `Host`.
"""

import re
from collections.abc import Collection

HEADER = "X-Call-Reject"
"""Requests that change state need this header. A page of another origin can send it only if a preflight allows it."""

HEADER_MISSING = f"Requests that change something need the header {HEADER}: 1."

_LOCAL = re.compile(r"(127\.0\.0\.1|localhost|([a-z0-9-]+\.)+localhost)(:[0-9]{1,5})?", re.IGNORECASE)


def rejection(host: str | None, origin: str | None, origins: Collection[str]) -> str | None:
    """Return why a local server rejects a request, or None if it does not.

    Parameters
    ----------
    host, origin
        the headers of the request.
    origins
        the origins of the pages that can send requests.
    """
    if host is None or not _LOCAL.fullmatch(host):
        return "The Host must be 127.0.0.1, localhost or a name below localhost."
    if origin is not None and origin not in origins:
        return "Pages of this origin cannot send requests to this server."
    return None
