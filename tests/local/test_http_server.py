"""The helper servers that other tests rely on."""

import time

import pytest
import requests

from tests.support.http_server import Request, Response, serve, serve_bytes

GOOD = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"


def test_a_handler_gets_the_request_and_its_response_is_sent() -> None:
    def handler(request: Request) -> Response:
        return Response.json({**request.query, **request.json()}, 202, {"Retry-After": "1"})

    with serve(handler) as server, requests.Session() as session:
        for number in (1, 2):
            response = session.post(f"{server.url}/path?a=b", json={"number": number}, timeout=10)
            assert (response.status_code, response.json()) == (202, {"a": "b", "number": number})
            assert response.headers["Retry-After"] == "1"
        assert [(request.method, request.path) for request in server.requests] == [("POST", "/path")] * 2


def test_a_handler_can_close_the_connection_without_a_response() -> None:
    with serve(lambda _: None) as server, pytest.raises(requests.ConnectionError, match="without response"):
        requests.get(server.url, timeout=10)


def test_bytes_are_sent_slowly_or_followed_by_a_reset() -> None:
    started = time.monotonic()
    with serve_bytes(GOOD, seconds_per_byte=0.001) as url:
        assert requests.get(url, timeout=10).text == "hello"
    assert time.monotonic() - started >= 0.001 * len(GOOD)
    with serve_bytes(b"", reset=True) as url, pytest.raises(requests.ConnectionError, match="reset"):
        requests.get(url, timeout=10)
