"""The simulator's page in a headless Chromium, with and without a deployed stack."""

import itertools
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from local.issuer import AUDIENCE, issuer
from local.page.stack import connect_page
from local.processes import HOST, free_port
from local.stack import Stack, deployed, page_origins
from local.zim_simulator.running import simulator

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
# Without these switches, Chromium connects to update and other services.
SWITCHES = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WAIT_MILLISECONDS = 20_000
_numbers = itertools.count(100)
expect.set_options(timeout=WAIT_MILLISECONDS)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium. Without it, the tests are skipped, but on CI they fail."""
    found = [os.environ.get("CHROMIUM"), *map(shutil.which, NAMES), str(MAC) if MAC.exists() else None]
    path = next(filter(None, found), None)
    if path is None:
        missing = "Chromium is not installed: run `apt-get install chromium`, or set CHROMIUM to its path."
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(missing)
    return path


@pytest.fixture(scope="session")
def deployed_with_page(chromium: str) -> Iterator[Stack]:
    """A stack that is connected to the page, as in `make run`."""
    port = free_port()
    with issuer() as oidc:
        parameters = {"JwtIssuer": oidc.url, "JwtAudience": AUDIENCE, "AllowedOrigins": ",".join(page_origins(port))}
        with deployed(free_port(), port, parameters) as stack, connect_page(stack, oidc):
            yield stack


@pytest.fixture(scope="session")
def simulator_without_stack() -> Iterator[str]:
    """The URL of a simulator without a deployed stack."""
    with simulator(https=False) as client:
        yield client.url


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium, args=SWITCHES) as started,
    ):
        yield started


@dataclass
class Activity:
    """The URLs that a browser tab requested, and its errors and console messages."""

    urls: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@pytest.fixture
def activity() -> Activity:
    return Activity()


@pytest.fixture
def tab(browser: Browser, activity: Activity) -> Iterator[Page]:
    """An empty tab. The test fails if it connects to other hosts or has errors."""
    with browser.new_context(viewport={"width": 1280, "height": 960}) as context:
        context.set_default_timeout(WAIT_MILLISECONDS)
        page = context.new_page()
        page.on("request", lambda request: activity.urls.append(request.url))
        page.on("pageerror", lambda error: activity.errors.append(str(error)))
        page.on("console", lambda message: activity.errors.append(message.text))
        yield page
        hosts = {urlsplit(url).hostname or "" for url in activity.urls if not url.startswith("data:")}
        assert {host for host in hosts if host not in {HOST, "localhost"}} == set()
        expected = "Failed to load resource: the server responded with a status of"  # for a status of 4xx or 5xx
        assert [text for text in activity.errors if not text.startswith(expected)] == []


@pytest.fixture
def stack(deployed_with_page: Stack) -> Stack:
    """The deployed stack, with the simulator in its initial state and no dead letters."""
    deployed_with_page.simulator.reset()
    deployed_with_page.client("sqs").purge_queue(QueueUrl=deployed_with_page.outputs["DeadLetterQueueUrl"])
    return deployed_with_page


@pytest.fixture
def page(stack: Stack, tab: Page) -> Page:
    """The page with a deployed stack. The callee differs in each test, because the API limits one user."""
    tab.goto(f"{stack.simulator_url}/")
    tab.get_by_label("Callee").fill(f"user{next(_numbers)}")
    return tab
