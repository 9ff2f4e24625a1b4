"""Nothing of the time before a snapshot is used after it, however much the function did before it was taken."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from local.lambda_runtime import FUNCTION, LAYER, PYTHON, environment
from local.zim_simulator.running import SimulatorClient
from local.zim_simulator.zim import APP_ID
from tests.artifact.runtime import HTTP_EVENT, REQUEST
from tests.artifact.runtime_api import snap_started
from tests.artifact.secrets_manager import CREDENTIALS, SecretsManager

PRIMED = """
import json, os, sys
import app

class Context:
    function_name = aws_request_id = invoked_function_arn = "made-up"
    memory_limit_in_mb = 1024
    def get_remaining_time_in_millis(self):
        return 20_000

EVENT = json.loads(os.environ["EVENT"])
assert app.handler(EVENT, Context())["statusCode"] == 200
"""
"""Rejects a call before the snapshot: then the secret is cached, the window full, the connection open."""


@pytest.fixture
def settings(zim: SimulatorClient, secrets_manager: SecretsManager, tmp_path: Path) -> dict[str, str]:
    """One call a second, so that the call before the snapshot fills the window; the secret is one of its own."""
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


def test_after_a_restore_the_secret_is_read_anew_the_connection_opened_anew_and_the_window_empty(
    zim: SimulatorClient, secrets_manager: SecretsManager, settings: dict[str, str], tmp_path: Path, logs: Path
) -> None:
    (tmp_path / "primed.py").write_text(f"{PRIMED}\nhandler = app.handler\n")
    ring(zim, REQUEST["CallId"], "restored")
    log = logs / "snap-start.log"
    with snap_started("primed.handler", settings, log) as function:
        function.snapshot()
        readings = secrets_manager.readings
        secrets_manager.put("snapshot", {**CREDENTIALS, "AppId": str(APP_ID)})
        function.restore()
        answer = function.invoke({**HTTP_EVENT, "body": json.dumps({**REQUEST, "CallId": "restored"})})
        assert answer["statusCode"] == 200
        assert secrets_manager.readings == readings + 1
    before, after = zim.requests()
    assert after.connection != before.connection
    (line,) = [json.loads(line) for line in log.read_text().splitlines() if '"restored"' in line and "outcome" in line]
    assert line["window_wait_ms"] < 100  # a window that is full makes it wait for a second


def test_environments_restored_from_one_snapshot_send_nonces_of_their_own_and_the_time_as_it_is(
    zim: SimulatorClient, settings: dict[str, str], tmp_path: Path, logs: Path
) -> None:
    """Two processes forked from one are two that go on from the same memory."""
    script = tmp_path / "forked.py"
    script.write_text(f"""{PRIMED}
for call_id in "fork-1", "fork-2":
    if os.fork() == 0:
        app.call_reject.start_anew()
        body = json.dumps({{**json.loads(EVENT["body"]), "CallId": call_id}})
        os._exit(app.handler({{**EVENT, "body": body}}, Context())["statusCode"] != 200)
    assert os.wait()[1] == 0
""")
    ring(zim, REQUEST["CallId"], "fork-1", "fork-2")
    with (logs / "forked.log").open("wb") as output:
        subprocess.run([*PYTHON, script], env=settings, cwd=os.curdir, stdout=output, stderr=output, check=True)
    sent = [request.parameters for request in zim.requests()]
    assert len({parameters["SignatureNonce"] for parameters in sent}) == len(sent) == 3
    assert all(abs(int(parameters["Timestamp"]) - time.time()) < 30 for parameters in sent)
