"""What these tests share: the artifact, ZIM and Secrets Manager in this process, and functions that run.

After every test, all that the functions wrote is searched for what must never be written.
"""

import filecmp
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from local.lambda_runtime import FUNCTION, LAYER, PYTHON, emulator, environment, written_since
from local.stack import ROOT
from local.zim_simulator.running import SimulatorClient, simulator
from local.zim_simulator.zim import SERVER_SECRET
from tests.artifact.runtime import BEARER, LOUD, PLANTED, REQUEST, SHORT_SECONDS, Function, Start, started
from tests.artifact.secrets_manager import CREDENTIALS, SecretsManager, serving


@pytest.fixture(scope="session", autouse=True)
def artifact() -> None:
    """Have something to run, on a machine that can run it, made from the sources as they are now."""
    program = emulator()
    if program is None:
        pytest.skip("AWS's Runtime Interface Emulator is for Linux on x86-64 and arm64 alone; this machine is neither.")
    if not all(Path(tool).exists() for tool in (program, PYTHON[0])):
        pytest.fail("The emulator or the runtime client is not installed: run `make setup`.", pytrace=False)
    module = {"app.py": ROOT / "functions" / "call_reject" / "app.py"}
    sources = {built: module.get(built.name, ROOT / "functions" / built.name) for built in FUNCTION.glob("*.py")}
    sources |= {LAYER / "zim" / source.name: source for source in (ROOT / "layers" / "zim" / "zim").glob("*.py")}
    if not all(built.exists() and filecmp.cmp(built, source, shallow=False) for built, source in sources.items()):
        pytest.fail("Nothing is built, or not from the sources as they are: run `make build`.", pytrace=False)


@pytest.fixture(scope="session")
def running_zim() -> Iterator[SimulatorClient]:
    with simulator() as running:
        yield running


@pytest.fixture
def zim(running_zim: SimulatorClient) -> SimulatorClient:
    """A ZIM in which nothing has happened yet, and whose rate limit is out of the way."""
    running_zim.reset()
    running_zim.settings(calls_per_second=100_000)
    return running_zim


@pytest.fixture
def ringing(zim: SimulatorClient) -> SimulatorClient:
    """A ZIM in which the call of the sample request rings."""
    zim.ring(REQUEST["FromUserId"], call_id=REQUEST["CallId"])
    return zim


@pytest.fixture(scope="session")
def secrets_manager() -> Iterator[SecretsManager]:
    """Secrets Manager, in which the secret of functions that name no other is right and stays so."""
    with serving() as service:
        service.put("zim", CREDENTIALS)
        yield service


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of what all functions write."""
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="session")
def start(running_zim: SimulatorClient, secrets_manager: SecretsManager, logs: Path) -> Start:
    """Start a function whose environment differs by what is given; `handler` is not of the environment."""

    def starting(*, handler: str = "app.handler", **changes: str | None) -> AbstractContextManager[Function]:
        urls = {"ZIM_API_BASE_URL": running_zim.url, "AWS_ENDPOINT_URL_SECRETS_MANAGER": secrets_manager.url}
        log = logs / f"{len(list(logs.iterdir()))}.log"
        return started(log, environment(**{**urls, **changes}), handler)

    return starting


@pytest.fixture(scope="session")
def function(start: Start) -> Iterator[Function]:
    """The function that most tests use; it logs all it can, so that every test searches for what must not be logged."""
    with start(**LOUD) as running:
        yield running


@pytest.fixture(scope="session")
def short_lived(start: Start) -> Iterator[Function]:
    """A function whose invocations last `SHORT_SECONDS`, and that has started."""
    with start(AWS_LAMBDA_FUNCTION_TIMEOUT=str(SHORT_SECONDS), **LOUD) as running:
        assert running.post(None).status == 400
        yield running


@pytest.fixture(autouse=True)
def unspeakable(running_zim: SimulatorClient, logs: Path) -> Iterator[list[str]]:
    """Search all that was written during a test for what is nobody's to read; a test may add its own."""
    texts = [SERVER_SECRET, PLANTED, BEARER]
    sizes = {log: log.stat().st_size for log in logs.iterdir()}
    yield texts
    texts += [record.parameters["Signature"] for record in running_zim.requests() if "Signature" in record.parameters]
    written = b"".join(written_since(sizes.get(log, 0), log) for log in logs.iterdir())
    assert not [text for text in texts if text.encode() in written]
