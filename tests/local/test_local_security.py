"""Web pages of other sites and ports cannot use the local servers. tests/page tests the same with a browser."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from local.access import HEADER, HEADER_MISSING, rejection
from local.issuer import issuer
from local.page.stack import connect_page
from local.processes import HOST, free_port
from local.stack import ACCESS_KEY, REGION, SECRET_KEY, Stack, aws_environment, emulator, page_origins
from local.zim_simulator.running import simulator

SECONDS = 10
FOREIGN_HOSTS = ["rebind.example", "localhost.rebind.example", "127.0.0.1.rebind.example", "127.0.0.2", "[::1]"]
FOREIGN_ORIGINS = ["https://rebind.example", "http://127.0.0.1:1", "http://localhost", "null"]
SERVERS = ["emulator", "simulator", "page", "tokens", "issuer"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A simulator and an emulator in which nothing is deployed."""
    port, folder = free_port(), tmp_path_factory.mktemp("emulator")
    with ExitStack() as started:
        sim = started.enter_context(simulator(https=False))
        stack = Stack(f"http://{HOST}:{port}", sim.url, str(folder), {})
        origins = ",".join(page_origins(urlsplit(sim.url).port or 0))
        environment = {
            **aws_environment(stack.emulator_url),
            "ALLOWED_ORIGINS": origins,
            "TMPDIR": str(folder),
            "STATE_DIR": str(folder),
        }
        started.enter_context(emulator(port, stack.emulator_url, environment, folder))
        yield stack


@pytest.fixture(scope="module")
def urls(stack: Stack) -> Iterator[dict[str, str]]:
    """A URL of each server to which an ordinary GET request succeeds."""
    with issuer() as oidc:
        outputs = dict.fromkeys(("CallRejectUrl", "CallRejectAsyncUrl"), "https://0123abcd.execute-api.example/")
        with connect_page(replace(stack, outputs=outputs), oidc) as page:
            token_url = requests.get(f"{page}page/overview", timeout=SECONDS).json()["stack"]["TokenUrl"]
            yield {
                "emulator": f"{stack.emulator_url}/_ministack/health",
                "simulator": f"{stack.simulator_url}/simulator/health",
                "page": f"{page}page/",
                "tokens": f"{token_url}?user=user0",
                "issuer": f"{oidc.url}/keys",
            }


def status(url: str, **headers: str) -> int:
    return requests.get(url, headers=headers, timeout=SECONDS).status_code


@pytest.mark.parametrize("server", SERVERS)
def test_a_local_host_name_is_accepted(urls: dict[str, str], server: str) -> None:
    port = urlsplit(urls[server]).port
    for host in ("127.0.0.1", "localhost", "LOCALHOST", "0123abcd.execute-api.localhost"):
        assert status(urls[server], Host=f"{host}:{port}") == 200


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
@pytest.mark.parametrize("server", SERVERS)
def test_another_host_name_is_rejected(urls: dict[str, str], server: str, host: str) -> None:
    assert status(urls[server], Host=f"{host}:{urlsplit(urls[server]).port}") == 403


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
@pytest.mark.parametrize("server", SERVERS)
def test_a_page_of_another_origin_is_rejected(urls: dict[str, str], server: str, origin: str) -> None:
    response = requests.get(urls[server], headers={"Origin": origin}, timeout=SECONDS)
    assert response.status_code == 403
    if server != "emulator":
        assert response.json()["error"] == "Pages of this origin cannot send requests to this server."
    assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize("server", ["emulator", "simulator", "page", "tokens"])
def test_the_page_is_accepted(urls: dict[str, str], server: str) -> None:
    origin = f"http://{urlsplit(urls['page']).netloc}"
    assert status(urls[server], Origin=origin) == 200


def test_a_missing_host_is_rejected() -> None:
    assert rejection(None, None, ()) is not None


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "simulator/reset"),
        ("POST", "simulator/users"),
        ("POST", "simulator/calls"),
        ("POST", "simulator/faults"),
        ("DELETE", "simulator/requests"),
        ("PATCH", "simulator/settings"),
        ("PUT", "simulator/app"),
        ("PUT", "page/stack"),
    ],
)
def test_a_change_needs_the_header(stack: Stack, method: str, path: str) -> None:
    url = f"{stack.simulator_url}/{path}"
    without = requests.request(method, url, data="{}", timeout=SECONDS)
    assert without.status_code == 403
    assert without.json() == {"error": "Requests that change something need the header X-Call-Reject: 1."}
    assert requests.request(method, url, data="{}", headers={HEADER: "1"}, timeout=SECONDS).status_code != 403


def test_a_browser_does_not_get_permission_to_send_the_header(stack: Stack) -> None:
    preflight = {
        "Origin": "http://127.0.0.1:1",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": HEADER,
    }
    response = requests.options(f"{stack.simulator_url}/simulator/reset", headers=preflight, timeout=SECONDS)
    assert response.status_code == 403
    assert not [name for name in response.headers if name.startswith("Access-Control-")]


def test_only_the_page_gets_permission_to_move_dead_letters(urls: dict[str, str]) -> None:
    url = f"http://{urlsplit(urls['tokens']).netloc}/dead-letters/redrive"
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": HEADER}
    page = f"http://{urlsplit(urls['page']).netloc}"
    accepted = requests.options(url, headers={**preflight, "Origin": page}, timeout=SECONDS)
    assert (accepted.status_code, accepted.headers["Access-Control-Allow-Origin"]) == (200, page)
    assert HEADER in accepted.headers["Access-Control-Allow-Headers"]
    rejected = requests.options(url, headers={**preflight, "Origin": "http://127.0.0.1:1"}, timeout=SECONDS)
    assert rejected.status_code == 403
    assert not [name for name in rejected.headers if name.startswith("Access-Control-")]
    assert requests.post(url, timeout=SECONDS).json() == {"error": HEADER_MISSING}


@pytest.mark.parametrize("query", ["", "?user="])
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "token"), ("GET", "do-not-disturb"), ("POST", "do-not-disturb/on"), ("POST", "do-not-disturb/off")],
)
def test_a_request_for_a_user_without_a_user_is_rejected(
    urls: dict[str, str], method: str, path: str, query: str
) -> None:
    url = f"http://{urlsplit(urls['tokens']).netloc}/{path}{query}"
    response = requests.request(method, url, headers={HEADER: "1"}, timeout=SECONDS)
    assert response.status_code == 400
    assert response.json() == {"error": "The query parameter user is missing or empty."}


def test_the_page_cannot_be_shown_in_a_frame(urls: dict[str, str]) -> None:
    response = requests.get(urls["page"], timeout=SECONDS)
    assert response.headers["Content-Security-Policy"] == "frame-ancestors 'none'"


# The credentials of the emulator


def list_functions(url: str, access_key: str, secret_key: str) -> None:
    session = boto3.Session(access_key, secret_key, region_name=REGION)
    session.client("lambda", endpoint_url=url).list_functions()


def test_the_credentials_of_this_start_are_accepted(stack: Stack) -> None:
    list_functions(stack.emulator_url, ACCESS_KEY, SECRET_KEY)
    assert len({ACCESS_KEY, SECRET_KEY, "test"}) == 3


@pytest.mark.parametrize(
    "keys",
    [
        ("test", "test"),
        ("test", SECRET_KEY),
        ("000000000000", "test"),
        ("AKIAIOSFODNN7EXAMPLE", SECRET_KEY),
        (ACCESS_KEY, "test"),
    ],
)
def test_other_credentials_are_rejected(stack: Stack, keys: tuple[str, str]) -> None:
    with pytest.raises(ClientError) as caught:
        list_functions(stack.emulator_url, *keys)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/2015-03-31/functions/"),
        ("POST", "/2015-03-31/functions"),
        ("POST", "/2015-03-31/functions/f/invocations"),
        ("POST", "/?Action=CreateStack&StackName=stack"),
        ("POST", "/_ministack/reset"),
        ("GET", "/_ministack/config"),
        ("POST", "/_ministack/health"),
        ("GET", "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=test%2F20260101%2Fus-east-1%2Fs3%2Faws4_request"),
        ("GET", "/?AWSAccessKeyId=test&Signature=s&Expires=9999999999"),
    ],
)
def test_an_unsigned_request_is_rejected(stack: Stack, method: str, path: str) -> None:
    response = requests.request(method, f"{stack.emulator_url}{path}", data="{}", timeout=SECONDS)
    assert response.status_code == 403
    assert response.json()["message"] == "The request is not signed."


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("0123abcd.execute-api.localhost", "/_ministack/config"),
        ("0123abcd.execute-api.localhost", "/call-reject"),
        ("bucket.s3.localhost", "/_aws/execute-api/0123abcd/call-reject"),
        ("127.0.0.1", "/_aws/execute-api/0123abcd/$default/@connections/id"),
        ("127.0.0.1", "/_aws/execute-api/0123abcd/../../_ministack/config"),
    ],
)
def test_only_the_path_of_a_deployed_api_on_this_host_needs_no_signature(stack: Stack, host: str, path: str) -> None:
    connection = HTTPConnection(HOST, urlsplit(stack.emulator_url).port or 0, timeout=SECONDS)
    with closing(connection):
        connection.request("GET", path, headers={"Host": host})  # requests would resolve the dots
        response = connection.getresponse()
        assert (response.status, json.load(response)["message"]) == (403, "The request is not signed.")


@pytest.mark.parametrize("authorization", ["AWS test:signature", "AWS4-HMAC-SHA256 Credential=test/a/b/c/d"])
def test_a_deployed_api_gets_no_request_with_invalid_credentials(stack: Stack, authorization: str) -> None:
    url = f"{stack.emulator_url}/_aws/execute-api/0123abcd/call-reject"
    assert requests.post(url, headers={"Authorization": authorization}, timeout=SECONDS).status_code == 403
    assert requests.post(url, timeout=SECONDS).status_code == 404


def test_a_signature_for_another_body_or_host_is_rejected(stack: Stack) -> None:
    url = f"{stack.emulator_url}/2015-03-31/functions/f/invocations"
    request = AWSRequest(
        "POST",
        url,
        data=b"{}",
        headers={"X-Amz-Content-Sha256": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},
    )
    SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "lambda", REGION).add_auth(request)
    signed = dict(request.headers)
    assert requests.post(url, data=b"{}", headers=signed, timeout=SECONDS).status_code == 404
    for body, host in ((b"[]", f"{HOST}:{urlsplit(url).port}"), (b"{}", "localhost")):
        assert requests.post(url, data=body, headers={**signed, "Host": host}, timeout=SECONDS).status_code == 403


def test_a_web_socket_is_rejected(stack: Stack) -> None:
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
    }
    assert status(f"{stack.emulator_url}/", **upgrade) == 403


def test_the_keys_are_in_no_log(stack: Stack) -> None:
    assert SECRET_KEY not in (Path(stack.log) / "ministack.log").read_text()
