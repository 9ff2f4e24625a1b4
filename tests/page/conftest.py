"""The simulator's page in a headless Chromium, beside a deployed stack and beside none."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import Browser, Page, expect, sync_playwright

from local.issuer import AUDIENCE, issuer
from local.page.stack import origins, shown
from local.processes import HOST, free_port, process
from local.stack import ROOT, Stack, deployed
from tests.page.seen import Seen

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
# Without them Chromium looks for updates and services that a machine without a network does not reach.
SWITCHES = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WAIT_MILLISECONDS = 20_000
expect.set_options(timeout=WAIT_MILLISECONDS)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium. On CI it must be there."""
    found = [os.environ.get("CHROMIUM"), *map(shutil.which, NAMES), str(MAC) if MAC.exists() else None]
    path = next(filter(None, found), None)
    if path is None:
        missing = "There is no Chromium: install Debian's (apt-get install chromium), or name one in CHROMIUM."
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(missing)
    return path


@pytest.fixture(scope="session")
def deployed_with_page(chromium: str) -> Iterator[Stack]:
    """A stack that its simulator's page was told of, as `make run` does it."""
    port = free_port()
    with issuer() as oidc:
        access = {"JwtIssuer": oidc.url, "JwtAudience": AUDIENCE, "AllowedOrigins": ",".join(origins(port))}
        with deployed(free_port(), port, access) as stack, shown(stack, oidc):
            yield stack


@pytest.fixture(scope="session")
def simulator_alone(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a simulator that runs by itself."""
    port = free_port()
    url = f"http://{HOST}:{port}"

    def answers() -> bool:
        try:
            return requests.get(f"{url}/simulator/health", timeout=1).ok
        except requests.ConnectionError:
            return False

    command = [sys.executable, "-m", "local.zim_simulator", "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    log = tmp_path_factory.mktemp("simulator") / "log"
    with process(command, environment=environment, log=log, ready=answers):
        yield url


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium, args=SWITCHES) as started,
    ):
        yield started


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def blank(browser: Browser, seen: Seen) -> Iterator[Page]:
    """A tab, which must neither leave this machine nor complain whatever a test does in it."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        context.set_default_timeout(WAIT_MILLISECONDS)
        page = context.new_page()
        seen.watch(page)
        yield page
        hosts = {urlsplit(url).hostname or "" for url in seen.urls if not url.startswith("data:")}
        assert {host for host in hosts if host not in {HOST, "localhost"} and not host.endswith(".localhost")} == set()
        # Chromium itself writes a line for each answer of 4xx and 5xx, which here are what was asked for.
        expected = "Failed to load resource: the server responded with a status of"
        assert [text for text in seen.complaints if not text.startswith(expected)] == []


@pytest.fixture
def stack(deployed_with_page: Stack) -> Stack:
    """The deployed stack, with a simulator in which nothing has happened yet, and no dead letters."""
    deployed_with_page.simulator.reset()
    deployed_with_page.client("sqs").purge_queue(QueueUrl=deployed_with_page.outputs["DeadLetterQueueUrl"])
    return deployed_with_page


@pytest.fixture
def page(stack: Stack, blank: Page) -> Page:
    """The page beside a deployed stack."""
    blank.goto(f"{stack.simulator_url}/")
    return blank
