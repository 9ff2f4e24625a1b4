"""The floor: a minimal function that reads the secret and calls ZIM. It validates, signs and logs nothing."""

# ruff: noqa: D103, INP001 - a function, not a package

import json
import os
from typing import Any

import boto3
import requests

secrets = boto3.client("secretsmanager")
session = requests.Session()
secret: dict[str, Any] = {}
UNSIGNED = {"SignatureNonce": "0" * 16, "Timestamp": 0, "SignatureVersion": "2.0", "Signature": "0" * 32}


def handler(event: Any, _: Any) -> dict[str, Any]:
    if not secret:
        secret.update(json.loads(secrets.get_secret_value(SecretId=os.environ["ZIM_SECRET_ID"])["SecretString"]))
    parameters = {"Action": "CallReject", "AppId": secret["AppId"], **UNSIGNED, **json.loads(event["body"])}
    response = session.get(f"{os.environ['ZIM_API_BASE_URL']}/", params=parameters, timeout=5)
    return {"statusCode": 200, "body": json.dumps(response.json())}
