"""`zim.connection`: connections that are opened in advance, and that break before they are used."""

import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from local.processes import HOST, free_port
from tests.support.zim_connections import Break, ZimConnections, zim_connections
from tests.unit.doubles import delay_connections
from zim.connection import Connector
from zim.credentials import Credentials
from zim.errors import ZimUnreachable
from zim.request import CallRejectRequest
from zim.server_api import ServerApi

CREDENTIALS = Credentials(1, "a-made-up-secret-of-32-characters"[:32])
REQUEST = CallRejectRequest("user0", "call-1")
before_the_break = pytest.mark.parametrize("before", [[], [0]], ids=["prepared", "used"])
"""The connections of the requests before a connection breaks."""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def https(authority: trustme.CA) -> Iterator[ZimConnections]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    with zim_connections(tls) as running:
        yield running


@pytest.fixture(params=["http", "https"])
def zim(request: pytest.FixtureRequest) -> Iterator[ZimConnections]:
    if request.param == "https":
        yield request.getfixturevalue("https")
    else:
        with zim_connections() as running:
            yield running


def prepared(zim: ZimConnections, ca_file: str) -> Connector:
    connector = Connector(zim.url, ca_file)
    connector.load_certificates()
    connector.prepare()
    connector.wait(10)
    assert zim.has_accepted(1)
    return connector


def call(api: ServerApi) -> int:
    return api.call_reject(REQUEST, CREDENTIALS, time.monotonic() + 10).code


def test_the_prepared_connection_is_used_once(zim: ZimConnections, ca_file: str) -> None:
    connector = prepared(zim, ca_file)
    # With TLS 1.3, the session tickets of the server are waiting to be read.
    with connector.connect(10) as first, connector.connect(10):
        assert zim.has_accepted(2)
        assert first.gettimeout() == 10
    assert zim.requests == []


def test_all_requests_use_the_prepared_connection(zim: ZimConnections, ca_file: str) -> None:
    api = ServerApi(zim.url, prepared(zim, ca_file))
    assert [call(api), call(api)] == [0, 0]
    assert zim.requests == [0, 0]


@pytest.mark.parametrize("how", [Break.CLOSE, Break.RESET])
@before_the_break
def test_a_connection_that_broke_is_replaced(zim: ZimConnections, ca_file: str, how: Break, before: list[int]) -> None:
    api = ServerApi(zim.url, prepared(zim, ca_file))
    assert [call(api) for _ in before] == before
    zim.break_all(how)
    assert call(api) == 0
    assert zim.requests == [*before, 1]


@pytest.mark.skipif(sys.platform != "linux", reason="TCP_USER_TIMEOUT and SO_ATTACH_FILTER require Linux.")
@before_the_break
def test_a_half_open_connection_is_lost_within_a_second(zim: ZimConnections, ca_file: str, before: list[int]) -> None:
    api = ServerApi(zim.url, prepared(zim, ca_file))
    assert [call(api) for _ in before] == before
    zim.break_all(Break.SILENCE)
    started = time.monotonic()
    with pytest.raises(ZimUnreachable) as raised:
        call(api)
    assert raised.value.connection_lost
    assert raised.value.__suppress_context__  # other errors can quote the URL
    assert 0.7 < time.monotonic() - started < 1.5
    assert call(api) == 0
    assert zim.requests == [*before, 1]


def test_a_failure_to_prepare_has_no_effect(ca_file: str) -> None:
    connector = Connector(f"http://{HOST}:{free_port()}", ca_file)
    connector.prepare()
    connector.wait(10)
    with pytest.raises(ConnectionRefusedError):
        connector.connect(10)


@pytest.mark.parametrize(("url", "port"), [("https://zim.example", 443), ("http://zim.example", 80)])
def test_the_default_port_is_that_of_the_scheme(url: str, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    addresses: list[tuple[str, int]] = []

    def refuse(address: tuple[str, int], _: float) -> None:
        addresses.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refuse)
    with pytest.raises(ConnectionRefusedError):
        Connector(url).connect(1)
    assert addresses == [("zim.example", port)]


def test_tcp_and_tls_together_end_at_the_timeout(ca_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    delay_connections(monkeypatch, lambda: time.sleep(0.8))
    with socket.create_server((HOST, 0)) as silent:
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            Connector(f"https://localhost:{silent.getsockname()[1]}", ca_file).connect(1)
        assert 0.9 < time.monotonic() - started < 1.6


def test_a_server_that_hangs_is_not_waited_for_twice(ca_file: str) -> None:
    with socket.create_server((HOST, 0)) as silent:
        connector = Connector(f"https://localhost:{silent.getsockname()[1]}", ca_file)
        connector.prepare()
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            connector.connect(0.5)
        assert 0.4 < time.monotonic() - started < 1.5


def test_connect_waits_for_a_connection_that_is_being_prepared(
    zim: ZimConnections, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    delay_connections(monkeypatch, lambda: release.wait(10))
    connector = Connector(zim.url, ca_file)
    connector.prepare()
    threading.Timer(0.1, release.set).start()
    with connector.connect(10):
        assert zim.has_accepted(1)


def test_a_platform_without_tcp_user_timeout_works_too(
    zim: ZimConnections, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(socket, "TCP_USER_TIMEOUT")
    connector = Connector(zim.url, ca_file)
    connector.wait(10)  # nothing was prepared
    with connector.connect(10):
        assert zim.has_accepted(1)


def test_a_closed_api_does_not_use_the_prepared_connection(zim: ZimConnections, ca_file: str) -> None:
    api = ServerApi(zim.url, prepared(zim, ca_file))
    api.close()
    assert call(api) == 0
    assert zim.requests == [1]


def test_a_connection_with_unexpected_data_is_not_used(ca_file: str) -> None:
    with socket.create_server((HOST, 0)) as server:
        connector = Connector(f"http://{HOST}:{server.getsockname()[1]}", ca_file)
        connector.prepare()
        first, address = server.accept()
        with first:
            first.sendall(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
            connector.wait(10)
            time.sleep(0.05)
            with connector.connect(10) as connection:
                assert connection.getsockname() != address
