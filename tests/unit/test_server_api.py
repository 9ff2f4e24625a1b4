"""Sign, send and read: `zim.server_api`, with the simulator and other servers on real sockets."""

import contextlib
import json
import socket
import ssl
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from urllib3 import Timeout
from urllib3.connection import HTTPSConnection

from local.processes import free_port
from local.zim_simulator.running import SimulatorClient
from local.zim_simulator.zim import APP_ID, SERVER_SECRET
from tests.support.http_server import Response, serve, serve_bytes
from zim import server_api
from zim.connection import Connector
from zim.credentials import Credentials
from zim.errors import CallRejectError, UnexpectedZimResponse, ZimTimeout, ZimUnreachable
from zim.request import CallRejectRequest
from zim.response import ZimResponse
from zim.server_api import ServerApi, sign

CREDENTIALS = Credentials(APP_ID, SERVER_SECRET)
REQUEST = CallRejectRequest("user0", "call-1")
ALL_CHARACTERS = "".join(chr(code) for code in range(1, 0x180)) + "€\U0001f4de"
USER_NOT_REGISTERED = 660500002


def new_api(url: str, ca_file: str | None = None) -> ServerApi:
    return ServerApi(url, Connector(url, ca_file))


def call(api: ServerApi, request: CallRejectRequest = REQUEST, seconds: float = 10) -> ZimResponse:
    return api.call_reject(request, CREDENTIALS, time.monotonic() + seconds)


def failure(api: ServerApi, seconds: float = 10) -> CallRejectError:
    with pytest.raises(CallRejectError) as raised:
        call(api, seconds=seconds)
    return raised.value


def test_the_signature_matches_the_example_of_the_vendor() -> None:
    credentials = Credentials(12345, "9193cc662a4c0ec135ec71fb57194b38")
    assert sign(credentials, "4fd24687296dd9f3", 1615186943) == "43e5cfcca828314675f91b001390566a"


def test_every_character_of_a_request_arrives_unchanged(zim: SimulatorClient) -> None:
    call_id = zim.ring("user +%&#?0", call_id=f"/{ALL_CHARACTERS[-31:]}")
    assert call(new_api(zim.url), CallRejectRequest("user +%&#?0", call_id, ALL_CHARACTERS)).code == 0
    assert zim.call(call_id).extended_data == {"user +%&#?0": ALL_CHARACTERS}
    (record,) = zim.requests()
    assert "FromUserId=user%20%2B%25%26%23%3F0&CallId=%2F" in record.query


def test_line_breaks_in_a_call_id_stay_inside_it(zim: SimulatorClient) -> None:
    call_id = zim.ring("user0", call_id="call\r\nHost: evil\r\n\r\nGET /")
    assert call(new_api(zim.url), CallRejectRequest("user0", call_id)).code == 0
    (record,) = zim.requests()
    assert record.parameters["CallId"] == call_id


def test_extended_data_that_was_omitted_is_not_sent(zim: SimulatorClient) -> None:
    call(new_api(zim.url))
    assert "ExtendedData" not in zim.requests()[0].parameters


def test_every_request_has_a_new_nonce_and_all_share_one_connection(zim: SimulatorClient) -> None:
    zim.settings(calls_per_second=1000)
    api = new_api(zim.url)
    for _ in range(50):
        call(api)
    records = zim.requests()
    nonces = {record.parameters["SignatureNonce"] for record in records}
    assert len(nonces) == 50
    assert all(len(nonce) == 16 and int(nonce, 16) >= 0 for nonce in nonces)
    assert len({record.connection for record in records}) == 1


def test_a_request_asks_for_uncompressed_json_and_keeps_the_connection() -> None:
    with serve(lambda _: Response.json({"Code": 0})) as server:
        call(new_api(server.url))
    (request,) = server.requests
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert (request.method, request.path) == ("GET", "/")
    assert headers["accept"] == "application/json"
    assert headers["accept-encoding"] == "identity"
    assert headers["connection"] == "keep-alive"
    assert headers.keys() <= {"accept", "accept-encoding", "connection", "host", "user-agent"}


def test_no_cookie_is_kept() -> None:
    with serve(lambda _: Response.json({"Code": 0}, headers={"Set-Cookie": "server=1"})) as server:
        api = new_api(server.url)
        call(api)
        call(api)
    assert [request.headers.get("Cookie") for request in server.requests] == [None, None]


def test_the_certificate_of_the_server_is_verified(zim: SimulatorClient) -> None:
    assert zim.https_url
    assert call(new_api(zim.https_url, str(zim.ca_file))).code == USER_NOT_REGISTERED
    zim.clear_requests()
    error = failure(new_api(zim.https_url))
    assert isinstance(error, ZimUnreachable)
    assert not error.connection_lost
    assert "SSLError" in error.cause
    assert zim.requests() == []


def test_a_certificate_for_another_host_is_rejected(zim: SimulatorClient) -> None:
    assert zim.https_url
    other_host = new_api(zim.https_url.replace("127.0.0.1", "127.0.0.2"), str(zim.ca_file))
    assert isinstance(failure(other_host), ZimUnreachable)
    assert zim.requests() == []


def test_proxies_and_passwords_in_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login user password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    with serve(lambda _: Response.json({"Code": 0})) as server:
        call(new_api(server.url))
    (request,) = server.requests
    assert request.path == "/"
    assert "Authorization" not in request.headers


@pytest.mark.parametrize("reset", [True, False])
def test_a_connection_that_ends_without_a_response_is_lost(*, reset: bool) -> None:
    with serve_bytes(b"", reset=reset) as url:
        error = failure(new_api(url))
    assert isinstance(error, ZimUnreachable)
    assert error.connection_lost


@pytest.mark.parametrize(
    ("fault", "cause"),
    [("cut_middle", "ProtocolError"), ("html", "not JSON"), ("huge", "65536"), ("no_code", "no Code")],
)
def test_a_response_that_zim_does_not_document_is_unexpected(zim: SimulatorClient, fault: Any, cause: str) -> None:
    zim.fault(fault)
    error = failure(new_api(zim.url))
    assert isinstance(error, UnexpectedZimResponse)
    assert cause in error.cause
    assert len(zim.requests()) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 60_000,
        b"null",
        b"{}",
        b'{"Code": null}',
        b'{"Code": "0"}',
        b'{"Code": 0.0}',
        b'{"Code": true}',
        b'{"Code": %d}' % 2**63,
        b'{"Code": %d}' % (-(2**63) - 1),
        b'{"Code": ' + b"1" * 5000 + b"}",  # more digits than Python reads
    ],
)
def test_a_body_without_a_64_bit_integer_code_is_unexpected(body: bytes) -> None:
    with serve(lambda _: Response(body=body)) as server:
        assert isinstance(failure(new_api(server.url)), UnexpectedZimResponse)


@pytest.mark.parametrize("status", [201, 204, 302, 400, 500])
def test_a_status_other_than_200_is_unexpected(status: int) -> None:
    with serve(lambda _: Response.json({"Code": 0}, status=status)) as server:
        error = failure(new_api(server.url))
    assert isinstance(error, UnexpectedZimResponse)
    assert str(status) in error.cause


@pytest.mark.parametrize(
    ("members", "response"),
    [
        ({"Message": "success", "RequestId": "42"}, ZimResponse(0, "success", "42")),
        ({}, ZimResponse(0, "", "")),
        ({"Message": ["text"], "RequestId": 42}, ZimResponse(0, "['text']", "42")),
        ({"RequestId": "42", "Other": {}}, ZimResponse(0, "", "42")),
        ({"Message": "a\ud800b", "RequestId": "\ud800"}, ZimResponse(0, "a?b", "?")),
        ({"Message": "é" * 257, "RequestId": "\ud800" * 257}, ZimResponse(0, "é" * 256, "?" * 256)),
    ],
)
def test_message_and_request_id_are_text_of_at_most_256_characters_without_surrogates(
    members: dict[str, Any], response: ZimResponse
) -> None:
    with serve(lambda _: Response.json({"Code": 0, **members})) as server:
        assert call(new_api(server.url)) == response


@pytest.mark.parametrize("code", [2**63 - 1, -(2**63)])
def test_a_code_can_have_64_bits(code: int) -> None:
    with serve(lambda _: Response.json({"Code": code})) as server:
        assert call(new_api(server.url)).code == code


def test_a_response_has_at_most_64_kib() -> None:
    body = json.dumps({"Code": 0}).encode().ljust(65536)
    with serve(lambda _: Response(body=body)) as server:
        assert call(new_api(server.url)).code == 0
    with serve(lambda _: Response(body=body + b" ")) as server:
        assert isinstance(failure(new_api(server.url)), UnexpectedZimResponse)


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_a_response_that_does_not_arrive_times_out_at_the_deadline(zim: SimulatorClient, fault: Any) -> None:
    zim.fault(fault, seconds=0.05)
    started = time.monotonic()
    assert isinstance(failure(new_api(zim.url), seconds=0.5), ZimTimeout)
    assert 0.5 <= time.monotonic() - started < 2
    zim.clear_faults()


def test_a_timeout_is_logged_with_its_seconds(zim: SimulatorClient) -> None:
    zim.fault("hang")
    assert "0.1 s" in failure(new_api(zim.url), seconds=0.1).cause
    zim.clear_faults()


def test_a_late_response_that_stalls_times_out_at_the_deadline(zim: SimulatorClient) -> None:
    zim.settings(latency=0.6)
    zim.fault("drip", seconds=10)
    started = time.monotonic()
    assert isinstance(failure(new_api(zim.url), seconds=0.8), ZimTimeout)
    assert 0.8 <= time.monotonic() - started < 1.3


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 2000\r\n\r\n",
    ],
)
def test_a_response_that_drips_times_out_long_before_the_deadline(head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_api, "CONNECT_TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(server_api, "READ_TIMEOUT_SECONDS", 0.2)
    started = time.monotonic()
    with serve_bytes(head + b" " * 2000, seconds_per_byte=0.001) as url:
        assert isinstance(failure(new_api(url), seconds=60), ZimTimeout)
    assert 0.4 <= time.monotonic() - started < 1.5


def test_a_connection_that_is_not_accepted_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_api, "CONNECT_TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, socket.socket() as first:
        first.connect(server.getsockname())  # fills the queue of connections, so that the kernel ignores the next one
        started = time.monotonic()
        error = failure(new_api(f"http://127.0.0.1:{server.getsockname()[1]}"))
    assert isinstance(error, ZimUnreachable)
    assert not error.connection_lost
    assert "ConnectTimeout" in error.cause
    assert 0.2 <= time.monotonic() - started < 1.5


@pytest.mark.parametrize(
    ("seconds", "connect_timeout", "read_timeout"), [(30, 2, 5), (4, 2, 4), (1.5, 1.5, 1.5), (0.1, 0.1, 0.1)]
)
def test_connecting_takes_two_seconds_and_reading_five_unless_the_deadline_is_earlier(
    seconds: float, connect_timeout: float, read_timeout: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    timeouts: list[tuple[Any, Any]] = []

    def send(*_: object, timeout: Timeout, **__: object) -> None:
        timeout.start_connect()
        timeouts.append((timeout.connect_timeout, timeout.read_timeout))
        raise requests.ConnectTimeout

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    failure(new_api("http://127.0.0.1"), seconds)
    assert timeouts == [pytest.approx((connect_timeout, read_timeout), abs=0.05)]


def test_a_tls_error_after_the_handshake_is_a_lost_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def alert(_: object) -> None:
        raise ssl.SSLError(1, "[SSL: TLSV1_ALERT_INTERNAL_ERROR]")

    monkeypatch.setattr(HTTPSConnection, "getresponse", alert)
    with serve(lambda _: None) as server:
        error = failure(new_api(server.url))
    assert isinstance(error, ZimUnreachable)
    assert error.connection_lost
    assert "may have been rejected" in error.detail


def test_no_log_line_of_a_library_contains_the_signature(caplog: pytest.LogCaptureFixture) -> None:
    response = b"HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 11\r\n\r\n" + b'{"Code": 0}'
    with serve_bytes(response) as url, contextlib.suppress(CallRejectError):
        call(new_api(url))
    assert "Signature=" not in caplog.text


@pytest.mark.parametrize("seconds", [0, -1])
def test_nothing_is_sent_after_the_deadline(zim: SimulatorClient, seconds: float) -> None:
    assert isinstance(failure(new_api(zim.url), seconds), ZimTimeout)
    assert zim.requests() == []


@pytest.mark.parametrize(
    ("api_of", "fault"),
    [
        (lambda zim: new_api(zim.https_url), "html"),
        (lambda _: new_api(f"http://127.0.0.1:{free_port()}"), "html"),
        *((lambda zim: new_api(zim.url), fault) for fault in ("cut_before", "cut_middle", "hang", "html")),
    ],
    ids=["wrong certificate", "connection refused", "connection lost", "response cut", "timeout", "not JSON"],
)
def test_no_error_shows_the_error_of_a_library_which_can_contain_the_url_and_its_signature(
    zim: SimulatorClient, api_of: Callable[[SimulatorClient], ServerApi], fault: Any
) -> None:
    zim.fault(fault)
    error = failure(api_of(zim), seconds=0.3)
    assert "Signature=" not in f"{error.detail}{error.cause}"
    assert "During handling" not in "".join(traceback.format_exception(error))
    zim.clear_faults()


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 11\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n",
    ],
)
def test_a_response_is_read_if_the_server_closes_the_connection_after_it(head: bytes) -> None:
    with serve_bytes(head + b'{"Code": 0}') as url:
        assert call(new_api(url)).code == 0


@pytest.mark.parametrize(
    ("response", "cause"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: http://[bad\r\nContent-Length: 0\r\n\r\n", "302"),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 1000000\r\n\r\n", "reading"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nx", "not JSON"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nx", "InvalidHeader while reading"),
        (b"this is not HTTP\r\n\r\n", "BadStatusLine while reading"),
        (b"HTTP/1.1 200 OK\r\n" + b"h" * 100_000 + b"\r\n\r\n", "LineTooLong while reading"),
    ],
)
def test_a_malformed_response_is_unexpected(response: bytes, cause: str) -> None:
    with serve_bytes(response) as url:
        error = failure(new_api(url))
    assert isinstance(error, UnexpectedZimResponse)
    assert cause in error.cause
    assert "During handling" not in "".join(traceback.format_exception(error))
