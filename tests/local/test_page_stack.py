"""The routes for the page that need a deployed stack. tests/page tests them with a browser."""

from collections.abc import Iterator
from unittest.mock import Mock

import pytest
import requests

from local.access import HEADER
from local.issuer import issuer
from local.page.stack import connect_page
from local.stack import Stack
from local.zim_simulator.running import simulator

SECONDS = 10.0


@pytest.fixture
def urls(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The URLs of the routes, as the page learns them."""
    client = Mock(describe_stacks=Mock(return_value={"Stacks": []}))
    monkeypatch.setattr(Stack, "client", lambda *_: client)
    outputs = dict.fromkeys(("CallRejectUrl", "CallRejectAsyncUrl"), "https://0123abcd.execute-api.example/")
    with simulator(https=False) as sim, issuer() as oidc:
        stack = Stack("http://127.0.0.1:1", sim.url, "", outputs)
        with connect_page(stack, oidc) as page:
            yield requests.get(f"{page}page/overview", timeout=SECONDS).json()["stack"]


@pytest.mark.parametrize("query", ["", "?user="])
def test_a_request_without_a_user_is_rejected(urls: dict[str, str], query: str) -> None:
    settings = urls["DoNotDisturbUrl"]
    requested = [("GET", urls["TokenUrl"]), ("GET", settings), ("POST", f"{settings}/on"), ("POST", f"{settings}/off")]
    for method, url in requested:
        response = requests.request(method, f"{url}{query}", headers={HEADER: "1"}, timeout=SECONDS)
        assert response.status_code == 400, url
        assert response.json() == {"error": "The query parameter user is missing or empty."}
