"""The limits of what callers and ZIM can send to the built function, over HTTPS and by direct invocation."""

import base64
import json
from typing import Any

import pytest

from local.zim_simulator.running import SimulatorClient
from tests.artifact.conftest import StartFunction
from tests.artifact.runtime import HTTP_EVENT, REQUEST, Function
from tests.support.http_server import Response, serve

MAX_BODY_CHARACTERS = 16 * 1024
MAX_TEXT_CHARACTERS = 256
SURROGATE = "\ud800"
LARGEST_CODE = 2**63 - 1


def post(function: Function, body: str | bytes) -> tuple[int, dict[str, Any]]:
    """Send a body as an HTTP API does that IAM authorizes; return the status and the members of the response."""
    context = {**HTTP_EVENT["requestContext"], "authorizer": {"iam": {"userArn": "arn:aws:iam::123456789012:user/u"}}}
    event = {**HTTP_EVENT, "requestContext": context, "body": body}
    if isinstance(body, bytes):
        event |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    response = function.invoke(event)
    return response["statusCode"], json.loads(response["body"])


def padded(size: int) -> str:
    """Return a valid body of this many characters."""
    text = json.dumps(REQUEST)
    return text + " " * (size - len(text))


def test_the_longest_body_is_accepted(ringing: SimulatorClient, function: Function) -> None:
    assert post(function, padded(MAX_BODY_CHARACTERS))[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        padded(MAX_BODY_CHARACTERS + 1),
        "[" * 1_000_000,
        "x" * 5_000_000,
        b"x" * (MAX_BODY_CHARACTERS + 3),
    ],
    ids=["one character too long", "deep", "5 MB", "base64"],
)
def test_a_longer_body_is_rejected_before_it_is_parsed(
    zim: SimulatorClient, function: Function, body: str | bytes
) -> None:
    status, problem = post(function, body)
    assert status == 413
    assert problem["type"] == "urn:problem-type:call-reject:RequestTooLarge"
    assert problem["retryable"] is False
    assert function.line()["outcome"] == "RequestTooLarge"
    assert zim.requests() == []


def test_every_valid_request_fits(zim: SimulatorClient, function: Function) -> None:
    """The longest one: each character of each member is escaped as JSON allows."""
    members = {"FromUserId": "u" * 32, "CallId": "\U0001f4de" * 32, "ExtendedData": "\x01" * 2048}
    zim.ring(members["FromUserId"], call_id=members["CallId"])
    escaped = {name: "".join(f"\\u{ord(unit):04x}" for unit in utf16(text)) for name, text in members.items()}
    body = "{" + ",".join(f'"{name}":"{text}"' for name, text in escaped.items()) + "}"
    assert post(function, body)[0] == 200
    assert len(body) < MAX_BODY_CHARACTERS


def utf16(text: str) -> list[str]:
    data = text.encode("utf-16-be")
    return [chr(int.from_bytes(data[index : index + 2])) for index in range(0, len(data), 2)]


def invoke(start: StartFunction, response: bytes) -> tuple[Any, tuple[int, dict[str, Any]], Any, dict[str, Any]]:
    """Return what a function that gets this response of ZIM returns directly, over HTTPS and again, and its line."""
    zim = serve(lambda _: Response(body=response, headers={"Content-Type": "application/json"}))
    with zim as server, start(ZIM_API_BASE_URL=server.url) as function:
        direct = function.invoke(REQUEST)
        line = function.line()
        posted = post(function, json.dumps(REQUEST))
        return direct, posted, function.invoke(REQUEST), line


def test_a_message_with_a_lone_surrogate_is_cleaned(start: StartFunction) -> None:
    body = json.dumps({"Code": 0, "Message": f"a{SURROGATE}b", "RequestId": f"{SURROGATE}"}).encode()
    direct, posted, again, line = invoke(start, body)
    assert direct == again == {"Code": 0, "Message": "a?b", "RequestId": "?"}
    assert posted == (200, direct)
    assert line["zim_request_id"] == "?"


def test_a_lone_surrogate_in_the_message_of_an_error_is_cleaned(start: StartFunction) -> None:
    body = json.dumps({"Code": 2, "Message": f"a{SURROGATE}b", "RequestId": "1"}).encode()
    direct, posted, again, _ = invoke(start, body)
    assert direct["errorType"] == again["errorType"] == "InvalidRequest"
    assert json.loads(direct["errorMessage"])["Message"] == posted[1]["Message"] == "a?b"


@pytest.mark.parametrize("character", ["m", "é", "\U0001f4de", SURROGATE, "\0", "\n"])
def test_long_texts_are_cut(start: StartFunction, character: str) -> None:
    body = json.dumps({"Code": 0, "Message": character * 2000, "RequestId": character * 2000}).encode()
    direct, posted, _, line = invoke(start, body)
    expected = ("?" if character == SURROGATE else character) * MAX_TEXT_CHARACTERS
    assert direct["Message"] == direct["RequestId"] == line["zim_request_id"] == expected
    assert posted[1] == direct


@pytest.mark.parametrize("code", [LARGEST_CODE + 1, -LARGEST_CODE - 2, 10**1000, 0.0, True, "0", None])
def test_a_code_that_is_no_64_bit_number_is_unexpected(start: StartFunction, code: object) -> None:
    direct, posted, again, line = invoke(start, json.dumps({"Code": code, "Message": "m", "RequestId": "1"}).encode())
    assert direct["errorType"] == again["errorType"] == line["outcome"] == "UnexpectedZimResponse"
    assert posted[0] == 502
    assert "Code" not in posted[1]


@pytest.mark.parametrize("code", [LARGEST_CODE, -LARGEST_CODE - 1])
def test_a_64_bit_code_is_reported(start: StartFunction, code: int) -> None:
    _, posted, _, line = invoke(start, json.dumps({"Code": code, "Message": "m", "RequestId": "1"}).encode())
    assert posted[1]["Code"] == line["code"] == code


def test_a_code_of_more_digits_than_python_reads_is_unexpected(start: StartFunction) -> None:
    direct, _, again, _ = invoke(start, b'{"Code":' + b"1" * 5000 + b',"Message":"m","RequestId":"1"}')
    assert direct["errorType"] == again["errorType"] == "UnexpectedZimResponse"
