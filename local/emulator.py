"""MiniStack with the patches that an unmodified `template.yaml` needs, behind a check of each request.

Runs in MiniStack's virtual environment. `emulator_gaps.py` makes the changes that are needed after a deploy.

MiniStack treats a request without credentials, and one with the key `test`, as one of the account's root user. It runs
functions as processes of this machine, so every web page that can send it a request could run code. The check accepts
only requests that are signed with the keys of this start, or of a role that a function has; requests to deployed HTTP
APIs, whose authorizers check them; and the health check.
"""

# ruff: noqa: SLF001 - MiniStack has no public API for this

import hashlib
import json
import os
import re
import sys
from typing import Any
from urllib.parse import parse_qs

import ministack.app
from ministack.core import iam_evaluator, sigv4
from ministack.services import lambda_svc, sts
from ministack.services.cloudformation import provisioners

from local.access import rejection

ORIGINS = frozenset(filter(None, os.environ.get("ALLOWED_ORIGINS", "").split(",")))
"""The origins of the pages that can send requests to deployed APIs."""

_API_HOST = re.compile(r"(127\.0\.0\.1|localhost)(:[0-9]+)?")
"""The hosts without a service of MiniStack. A name such as `bucket.s3.localhost` selects one before the path does."""
_API_PATH = re.compile(r"/_aws/execute-api/[0-9a-f]{8}(/[\w-]+)+", re.ASCII)
"""Paths of deployed HTTP APIs. MiniStack also has routes of its own, which the check of signatures protects."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_HEALTH = "/_ministack/health"

# MiniStack rejects a template with an unknown resource type. Saved queries need no implementation here.
provisioners._RESOURCE_HANDLERS["AWS::Logs::QueryDefinition"] = {
    "create": lambda logical_id, _properties, stack_name: (f"{stack_name}-{logical_id}", {}),
    "update": lambda physical_id, _before, _after, _stack_name: (physical_id, {}),
    "delete": lambda _physical_id, _properties: None,
}

_reserved_concurrency_of = lambda_svc._reserved_concurrency


def _reserved_concurrency(_: Any, config: dict[str, Any]) -> Any:
    """Look up the reserved concurrency of the function. MiniStack looks only at the version, which has none."""
    return _reserved_concurrency_of(lambda_svc._functions.get(config["FunctionName"]), config)


lambda_svc._reserved_concurrency = _reserved_concurrency

BUSY_STATUS = int(os.environ.get("EMULATOR_BUSY_STATUS", "500"))
"""The status of an HTTP API if Lambda throttles.

See https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway-errors.html.
"""

_proxy_response_of = lambda_svc.lambda_execute_result_to_api_proxy_response


def _proxy_response(result: dict[str, Any]) -> Any:
    """Respond like API Gateway if the function is throttled. MiniStack passes on Lambda's own 429."""
    if result.get("throttle"):
        body = {"message": "Internal Server Error" if BUSY_STATUS == 500 else "Too Many Requests"}  # noqa: PLR2004
        headers = {"Content-Type": "application/json"}
        return {"statusCode": BUSY_STATUS, "headers": headers, "body": json.dumps(body)}, None
    return _proxy_response_of(result)


lambda_svc.lambda_execute_result_to_api_proxy_response = _proxy_response

_condition_value_of = iam_evaluator._resolve_condition_key


def _condition_value(key: str, context: Any) -> Any:
    """Treat requests as TLS, which the emulator does not have. The queues deny others."""
    return "true" if key.lower() == "aws:securetransport" else _condition_value_of(key, context)


iam_evaluator._resolve_condition_key = _condition_value

_ministack = ministack.app.app


async def _app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Pass accepted requests to MiniStack, as an ASGI application."""
    if scope["type"] == "lifespan":
        await _ministack(scope, receive, send)
    elif scope["type"] != "http":
        await send({"type": "websocket.close", "code": 1008})
    else:
        body = await _read(receive)
        reason = _reason_to_reject(scope, body)
        if reason is None:
            await _ministack(scope, _replay(body, receive), send)
        else:
            await _respond_forbidden(reason, send)


def _reason_to_reject(scope: dict[str, Any], body: bytes) -> str | None:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), sigv4.decode_header_value(raw_value)
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    host = headers.get("host")
    reason = rejection(host, headers.get("origin"), ORIGINS)
    if reason or (scope["method"], scope["path"]) == ("GET", _HEALTH):
        return reason
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    is_api = _API_HOST.fullmatch(host or "") and _API_PATH.fullmatch(scope["path"])
    if is_api and not _has_credentials(headers, query):
        return None
    return _signature_failure(scope, headers, query, body)


def _has_credentials(headers: dict[str, str], query: dict[str, list[str]]) -> bool:
    """Return whether a request contains anything that MiniStack takes for AWS credentials."""
    return headers.get("authorization", "").startswith("AWS") or any(
        name.lower().startswith(("x-amz-", "awsaccesskeyid")) for name in query
    )


def _signature_failure(
    scope: dict[str, Any], headers: dict[str, str], query: dict[str, list[str]], body: bytes
) -> str | None:
    if not headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 "):
        return "The request is not signed."
    signature = sigv4.parse_header_signature(headers)
    if isinstance(signature, tuple):
        return str(signature[1])
    secret_key = _secret_key(signature.access_key_id)
    if secret_key is None:
        return "The access key is not one of this start of the emulator."
    if "host" not in signature.signed_headers.split(";"):
        return "The Host is not signed."
    digest = headers.get("x-amz-content-sha256", "")
    if _SHA256.fullmatch(digest) and digest != hashlib.sha256(body).hexdigest():
        return "The body differs from the one that was signed."
    failure = sigv4.request_time_failure(signature) or sigv4.header_signature_failure(
        signature, secret_key, scope["method"], scope["raw_path"].decode("latin-1"), query, headers, body
    )
    return failure[1] if failure else None


def _secret_key(access_key: str) -> str | None:
    """Return the secret key of the root user of this start, or of a role that a function has."""
    if access_key == os.environ["AWS_ACCESS_KEY_ID"]:
        return os.environ["AWS_SECRET_ACCESS_KEY"]
    session = sts._sessions.get(access_key)
    return session["SecretAccessKey"] if session else None


async def _read(receive: Any) -> bytes:
    body = bytearray()
    while (message := await receive())["type"] == "http.request":
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return bytes(body)


def _replay(body: bytes, receive: Any) -> Any:
    """Return a `receive` that starts with a body that was read already."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Any:
        return messages.pop() if messages else await receive()

    return replay


async def _respond_forbidden(reason: str, send: Any) -> None:
    body = json.dumps({"__type": "AccessDeniedException", "message": reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})


ministack.app.app = _app

if __name__ == "__main__":
    sys.exit(ministack.app.main())
