"""Fixtures: the built artifact, a simulated ZIM, Secrets Manager, and running functions.

After every test, the output of all functions is searched for secrets.
"""

import filecmp
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from local.lambda_runtime import FUNCTION, LAYER, PYTHON, environment
from local.zim_simulator.running import SimulatorClient
from local.zim_simulator.zim import SERVER_SECRET
from tests.artifact.runtime import (
    BEARER_TOKEN,
    DEBUG_LOGS,
    EXTENDED_DATA,
    REQUEST,
    Function,
    run_function,
    written_since,
)
from tests.artifact.secrets_manager import SecretsManager, secrets_manager_server
from tests.support.paths import FUNCTIONS, LAYER_SOURCE

StartFunction = Callable[..., AbstractContextManager[Function]]


@pytest.fixture(scope="session", autouse=True)
def artifact() -> None:
    """Fail if the artifact is missing or older than the sources."""
    if not Path(PYTHON[0]).exists():
        pytest.fail("The runtime client is not installed. Run `make setup`.", pytrace=False)
    sources = {LAYER / "zim" / source.name: source for source in (LAYER_SOURCE / "zim").glob("*.py")}
    sources[FUNCTION / "app.py"] = FUNCTIONS / "call_reject" / "app.py"
    if not all(built.exists() and filecmp.cmp(built, source, shallow=False) for built, source in sources.items()):
        pytest.fail("The artifact is not built from the current sources. Run `make build`.", pytrace=False)


@pytest.fixture
def zim(running_simulator: SimulatorClient) -> SimulatorClient:
    """A simulator in its initial state, with a rate limit that no test reaches."""
    running_simulator.reset()
    running_simulator.settings(calls_per_second=100_000)
    return running_simulator


@pytest.fixture
def ringing(zim: SimulatorClient) -> SimulatorClient:
    """A simulator in which the call of the sample request rings."""
    zim.ring(REQUEST["FromUserId"], call_id=REQUEST["CallId"])
    return zim


@pytest.fixture(scope="session")
def secrets_manager() -> Iterator[SecretsManager]:
    with secrets_manager_server() as server:
        yield server


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the output of all functions."""
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="session")
def start(running_simulator: SimulatorClient, secrets_manager: SecretsManager, logs: Path) -> StartFunction:
    """Start a function. Keyword arguments change its environment variables."""

    def start_function(**changes: str | None) -> AbstractContextManager[Function]:
        urls = {"ZIM_API_BASE_URL": running_simulator.url, "AWS_ENDPOINT_URL_SECRETS_MANAGER": secrets_manager.url}
        log = logs / f"{len(list(logs.iterdir()))}.log"
        return run_function(log, environment(**{**urls, **changes}))

    return start_function


@pytest.fixture(scope="session")
def function(start: StartFunction) -> Iterator[Function]:
    """The function that most tests share. It logs at DEBUG, so that every test searches that output for secrets."""
    with start(**DEBUG_LOGS) as running:
        yield running


@pytest.fixture(autouse=True)
def forbidden_texts(running_simulator: SimulatorClient, logs: Path) -> Iterator[list[str]]:
    """Texts that must not be in the output of any function after the test. A test can add its own."""
    texts = [SERVER_SECRET, EXTENDED_DATA, BEARER_TOKEN]
    sizes = {log: log.stat().st_size for log in logs.iterdir()}
    yield texts
    texts += [
        record.parameters["Signature"] for record in running_simulator.requests() if "Signature" in record.parameters
    ]
    output = b"".join(written_since(sizes.get(log, 0), log) for log in logs.iterdir())
    assert not [text for text in texts if text.encode() in output]
