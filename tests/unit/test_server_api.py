"""Signing, sending and reading: `zim.server_api`, against the simulator on a real socket."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from local.processes import free_port
from local.zim_simulator.running import SimulatorClient
from local.zim_simulator.zim import APP_ID, SERVER_SECRET
from zim.credentials import Credentials
from zim.outcome import UNEXPECTED_ANSWER, ZIM_TIMEOUT, ZIM_UNREACHABLE, Failed, Kind
from zim.request import CallRejectRequest
from zim.server_api import ConnectionDiedError, ServerApi, signature

CREDENTIALS = Credentials(APP_ID, SERVER_SECRET)
REQUEST = CallRejectRequest("user0", "call-1")
ALL_CHARACTERS = "".join(chr(code) for code in range(1, 0x180)) + "€\U0001f4de"


def in_seconds(seconds: float) -> float:
    return time.monotonic() + seconds


def failure(api: ServerApi, seconds: float = 10) -> Failed:
    with pytest.raises(Failed) as caught:
        api.call_reject(REQUEST, CREDENTIALS, in_seconds(seconds))
    return caught.value


def test_the_signature_is_that_of_the_vendors_example() -> None:
    credentials = Credentials(12345, "9193cc662a4c0ec135ec71fb57194b38")
    assert signature(credentials, "4fd24687296dd9f3", 1615186943) == "43e5cfcca828314675f91b001390566a"


def test_what_is_sent_arrives_as_it_was_given(zim: SimulatorClient) -> None:
    call_id = zim.ring("user +%&#?0", call_id=ALL_CHARACTERS[-32:])
    api = ServerApi(zim.url)
    answer = api.call_reject(CallRejectRequest("user +%&#?0", call_id, ALL_CHARACTERS), CREDENTIALS, in_seconds(10))
    assert answer.code == 0
    assert zim.call(call_id).extended_data == {"user +%&#?0": ALL_CHARACTERS}
    (record,) = zim.requests()
    assert "FromUserId=user%20%2B%25%26%23%3F0&" in record.query
    assert record.parameters["SignatureVersion"] == "2.0"


def test_line_ends_in_a_call_id_stay_in_it(zim: SimulatorClient) -> None:
    call_id = zim.ring("user0", call_id="call\r\nHost: evil\r\n\r\nGET /")
    assert ServerApi(zim.url).call_reject(CallRejectRequest("user0", call_id), CREDENTIALS, in_seconds(10)).code == 0
    (record,) = zim.requests()
    assert record.parameters["CallId"] == call_id


def test_extended_data_that_was_left_out_is_not_sent(zim: SimulatorClient) -> None:
    ServerApi(zim.url).call_reject(REQUEST, CREDENTIALS, in_seconds(10))
    assert "ExtendedData" not in zim.requests()[0].parameters


def test_every_request_has_a_nonce_of_its_own_and_all_share_one_connection(zim: SimulatorClient) -> None:
    zim.settings(calls_per_second=1000)
    api = ServerApi(zim.url)
    for _ in range(50):
        api.call_reject(REQUEST, CREDENTIALS, in_seconds(10))
    records = zim.requests()
    nonces = {record.parameters["SignatureNonce"] for record in records}
    assert len(nonces) == 50
    assert all(len(nonce) == 16 and int(nonce, 16) >= 0 for nonce in nonces)
    assert len({record.connection for record in records}) == 1


def test_the_certificate_of_the_server_is_verified(zim: SimulatorClient) -> None:
    assert zim.https_url
    assert (
        ServerApi(zim.https_url, str(zim.ca_file)).call_reject(REQUEST, CREDENTIALS, in_seconds(10)).code == 660500002
    )
    zim.clear_requests()
    failed = failure(ServerApi(zim.https_url))
    assert (failed.kind, failed.cause) == (ZIM_UNREACHABLE, "SSLError while connecting")
    assert zim.requests() == []


def test_a_certificate_for_another_host_is_refused(zim: SimulatorClient) -> None:
    assert zim.https_url
    elsewhere = ServerApi(zim.https_url.replace("127.0.0.1", "127.0.0.2"), str(zim.ca_file))
    assert failure(elsewhere).kind is ZIM_UNREACHABLE
    assert zim.requests() == []


def test_a_proxy_of_the_environment_gets_nothing(zim: SimulatorClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    assert ServerApi(zim.url).call_reject(REQUEST, CREDENTIALS, in_seconds(10)).code == 660500002


def test_nobody_listening_is_unreachable() -> None:
    failed = failure(ServerApi(f"http://127.0.0.1:{free_port()}"))
    assert (failed.kind, failed.cause) == (ZIM_UNREACHABLE, "ConnectionError while connecting")
    assert not isinstance(failed, ConnectionDiedError)


def test_a_connection_cut_before_the_answer_has_died(zim: SimulatorClient) -> None:
    zim.fault("cut_before")
    assert isinstance(failure(ServerApi(zim.url)), ConnectionDiedError)


@pytest.mark.parametrize(
    ("fault", "kind", "cause"),
    [
        ("cut_middle", UNEXPECTED_ANSWER, "ProtocolError while reading"),
        ("html", UNEXPECTED_ANSWER, "not JSON"),
        ("http_500", UNEXPECTED_ANSWER, "HTTP status 500"),
        ("redirect", UNEXPECTED_ANSWER, "HTTP status 302"),
        ("huge", UNEXPECTED_ANSWER, "more than 65536 bytes"),
        ("no_code", UNEXPECTED_ANSWER, "no Code"),
        ("not_object", UNEXPECTED_ANSWER, "no Code"),
    ],
)
def test_what_is_no_answer_of_zims_is_told_apart(zim: SimulatorClient, fault: str, kind: Kind, cause: str) -> None:
    members = {"location": f"{zim.url}/simulator/health"} if fault == "redirect" else {}
    zim.fault(fault, **members)  # type: ignore[arg-type]
    failed = failure(ServerApi(zim.url))
    assert (failed.kind, failed.cause) == (kind, cause)
    assert len(zim.requests()) == 1


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_an_answer_that_does_not_come_is_given_up_at_the_deadline(zim: SimulatorClient, fault: str) -> None:
    zim.fault(fault, **({"seconds": 0.05} if fault == "drip" else {}))  # type: ignore[arg-type]
    started = time.monotonic()
    assert failure(ServerApi(zim.url), seconds=0.5).kind is ZIM_TIMEOUT
    assert 0.5 <= time.monotonic() - started < 2
    zim.clear_faults()


def test_after_the_deadline_nothing_is_sent(zim: SimulatorClient) -> None:
    assert failure(ServerApi(zim.url), seconds=0).kind is ZIM_TIMEOUT
    assert zim.requests() == []


@pytest.mark.parametrize(
    "api",
    [
        lambda zim: ServerApi(zim.https_url),
        lambda zim: ServerApi(f"http://127.0.0.1:{free_port()}"),
        lambda zim: ServerApi(zim.url),
    ],
    ids=["wrong certificate", "nobody listens", "cut before the answer"],
)
def test_no_failure_carries_the_url_with_its_signature(
    zim: SimulatorClient, api: Callable[[SimulatorClient], ServerApi]
) -> None:
    zim.fault("cut_before")
    failed = failure(api(zim))
    assert failed.__cause__ is None
    assert failed.__suppress_context__
    assert "Signature" not in f"{failed} {failed.detail} {failed.cause}"


@contextmanager
def answering(sent: bytes, drip: float = 0.0) -> Iterator[str]:
    """Answer one request with these bytes, at once or one each so many seconds, and close; gives the URL."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with contextlib.suppress(OSError):
                connection, _ = server.accept()
                with connection:
                    connection.recv(65536)
                    for part in [sent] if not drip else (sent[i : i + 1] for i in range(len(sent))):
                        connection.sendall(part)
                        time.sleep(drip)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
    thread.join(10)


GOOD = b'{"Code": 0, "Message": "success", "RequestId": "1"}'


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(GOOD),
        b"HTTP/1.0 200 OK\r\n\r\n",
    ],
)
def test_an_answer_is_read_though_the_server_closes_the_connection(head: bytes) -> None:
    with answering(head + GOOD) as url:
        assert ServerApi(url).call_reject(REQUEST, CREDENTIALS, in_seconds(10)).code == 0


def test_an_answer_that_drips_until_the_connection_closes_is_given_up_too() -> None:
    with answering(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + GOOD, drip=0.05) as url:
        assert failure(ServerApi(url), seconds=1).kind is ZIM_TIMEOUT


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 302 Found\r\nLocation: http://[bad\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 1000000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n" + b"x",
    ],
)
def test_an_answer_of_no_use_is_no_more_than_that(sent: bytes) -> None:
    with answering(sent) as url:
        assert failure(ServerApi(url)).kind is UNEXPECTED_ANSWER
