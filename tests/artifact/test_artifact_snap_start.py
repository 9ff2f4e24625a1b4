"""SnapStart: no state from before the snapshot is used after a restore, whatever the function did before it."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from local.lambda_runtime import FUNCTION, LAYER, PYTHON, environment
from local.runtime_api import execution_environment
from local.zim_simulator.running import SimulatorClient
from local.zim_simulator.zim import APP_ID
from tests.artifact.runtime import HTTP_EVENT, REQUEST
from tests.artifact.secrets_manager import CREDENTIALS, SecretsManager

REJECT_A_CALL = """
import json, os
import app

class Context:
    function_name = aws_request_id = invoked_function_arn = "test"
    memory_limit_in_mb = 1024
    def get_remaining_time_in_millis(self):
        return 20_000

EVENT = json.loads(os.environ["EVENT"])
assert app.handler(EVENT, Context())["statusCode"] == 200
"""
"""Reject a call before the snapshot, which caches the secret, fills the window and opens the connection."""


@pytest.fixture
def settings(zim: SimulatorClient, secrets_manager: SecretsManager, tmp_path: Path) -> dict[str, str]:
    """One call per second, so that the call before the snapshot fills the window, and a separate secret."""
    secrets_manager.put("snapshot", CREDENTIALS)
    return environment(
        PYTHONPATH=f"{tmp_path}:{FUNCTION}:{LAYER}",
        ZIM_API_BASE_URL=zim.url,
        AWS_ENDPOINT_URL_SECRETS_MANAGER=secrets_manager.url,
        ZIM_SECRET_ID="snapshot",
        CALLS_PER_SECOND="1",
        EVENT=json.dumps({**HTTP_EVENT, "body": json.dumps(REQUEST)}),
    )


def ring(zim: SimulatorClient, *call_ids: str) -> None:
    for call_id in call_ids:
        zim.ring(REQUEST["FromUserId"], call_id=call_id)


def test_a_restored_function_reads_the_secret_opens_a_connection_and_has_an_empty_window(
    zim: SimulatorClient, secrets_manager: SecretsManager, settings: dict[str, str], tmp_path: Path, logs: Path
) -> None:
    (tmp_path / "primed.py").write_text(f"{REJECT_A_CALL}\nhandler = app.handler\n")
    ring(zim, REQUEST["CallId"], "restored")
    log = logs / "snap-start.log"
    with execution_environment(settings, log, "primed.handler", snap_start=True) as function:
        function.wait_for_init()
        reads = secrets_manager.reads
        secrets_manager.put("snapshot", {**CREDENTIALS, "AppId": str(APP_ID)})
        function.restore()
        result = function.invoke({**HTTP_EVENT, "body": json.dumps({**REQUEST, "CallId": "restored"})}).result
        assert result["statusCode"] == 200
        assert secrets_manager.reads == reads + 1
    before, after = zim.requests()
    assert after.connection != before.connection
    (line,) = [json.loads(line) for line in log.read_text().splitlines() if '"restored"' in line and "outcome" in line]
    assert line["window_wait_ms"] < 100  # with a full window, a second


def test_environments_restored_from_one_snapshot_send_different_nonces_and_the_current_time(
    zim: SimulatorClient, settings: dict[str, str], tmp_path: Path, logs: Path
) -> None:
    """Two forks of a process continue from the same memory, as two restored environments do."""
    script = tmp_path / "forked.py"
    script.write_text(f"""{REJECT_A_CALL}
for call_id in "fork-1", "fork-2":
    if os.fork() == 0:
        app.service.reset()
        body = json.dumps({{**json.loads(EVENT["body"]), "CallId": call_id}})
        os._exit(app.handler({{**EVENT, "body": body}}, Context())["statusCode"] != 200)
    assert os.wait()[1] == 0
""")
    ring(zim, REQUEST["CallId"], "fork-1", "fork-2")
    with (logs / "forked.log").open("wb") as output:
        subprocess.run([*PYTHON, script], env=settings, stdout=output, stderr=output, check=True)
    sent = [request.parameters for request in zim.requests()]
    assert len({parameters["SignatureNonce"] for parameters in sent}) == len(sent) == 3
    assert all(abs(int(parameters["Timestamp"]) - time.time()) < 30 for parameters in sent)
