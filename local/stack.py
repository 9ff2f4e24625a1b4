"""The whole stack on one machine: MiniStack in AWS's place, the simulator in ZIM's, `template.yaml` deployed by SAM."""

import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local import emulator_gaps
from local.processes import HOST, LocalError, process, require_free, run, until
from local.zim_simulator.running import SimulatorClient
from local.zim_simulator.zim import APP_ID, SERVER_SECRET

ROOT = Path(__file__).resolve().parents[1]
STATE_FILE = ROOT / ".local" / "stack.json"
STACK_NAME = "call-reject"
REGION = "us-east-1"
KEY = "test"
"""Access key and secret key of the emulator's root user, whose signatures it does not verify."""

SAM = ROOT / ".venv-sam" / "bin" / "sam"
MINISTACK = [ROOT / ".venv-ministack" / "bin" / "python", ROOT / "local" / "emulator.py"]
BUILT_TEMPLATE = ROOT / ".aws-sam" / "build" / "template.yaml"
LOG_SECONDS = 20.0
API_SECONDS = 30.0
"""API Gateway's own limit for an integration."""


@dataclass(frozen=True)
class Stack:
    """A deployed stack: where its parts listen, and ways to call them. `log` is the folder of what they write."""

    emulator_url: str
    simulator_url: str
    log: str
    outputs: dict[str, str]

    @property
    def simulator(self) -> SimulatorClient:
        """The simulator in ZIM's place."""
        return SimulatorClient(self.simulator_url)

    @property
    def call_reject_url(self) -> str:
        """The deployed route; its host resolves to this machine wherever names below localhost do."""
        return self._local_url("CallRejectUrl")

    @property
    def call_reject_async_url(self) -> str:
        """The deployed route that answers at once."""
        return self._local_url("CallRejectAsyncUrl")

    def _local_url(self, output: str) -> str:
        api = urlsplit(self.outputs[output])
        return f"http://{api.netloc.split('.')[0]}.execute-api.localhost:{urlsplit(self.emulator_url).port}{api.path}"

    def client(self, service: str) -> Any:
        """Return a boto3 client for the emulator."""
        return boto3.client(
            service,
            endpoint_url=self.emulator_url,
            region_name=REGION,
            aws_access_key_id=KEY,
            aws_secret_access_key=KEY,
        )

    def environments(self, function: str) -> list[int]:
        """Return the process ids of a function's execution environments, which the emulator runs as processes."""
        functions = self.client("lambda").list_functions()["Functions"]
        name = next(found["FunctionName"] for found in functions if f"-{function}-" in found["FunctionName"])
        ours = {f"AWS_LAMBDA_FUNCTION_NAME={name}".encode(), f"AWS_ENDPOINT_URL={self.emulator_url}".encode()}
        found = []
        for process_folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has ended meanwhile, or is somebody else's
                if ours <= set((process_folder / "environ").read_bytes().split(b"\0")):
                    found.append(int(process_folder.name))
        return found

    def post(
        self, body: str | bytes, headers: dict[str, str] | None = None, *, signed: bool = True
    ) -> requests.Response:
        """POST to the deployed route as an app does, signed with SigV4."""
        return self.request("POST", self.call_reject_url, body, headers, signed=signed)

    def request(
        self,
        method: str,
        url: str,
        body: str | bytes = b"",
        headers: dict[str, str] | None = None,
        *,
        signed: bool = True,
        seconds: float = API_SECONDS,
    ) -> requests.Response:
        """Send a request to the deployed API, whether or not this machine resolves names below localhost."""
        asked = AWSRequest(method, url, data=body, headers={"Content-Type": "application/json", **(headers or {})})
        if signed:
            SigV4Auth(Credentials(KEY, KEY), "execute-api", REGION).add_auth(asked)
        address = urlsplit(url)
        return requests.request(
            method,
            f"{self.emulator_url}{address.path}",
            data=body,
            headers={**asked.headers, "Host": address.netloc},
            timeout=seconds,
        )


def aws_environment(emulator_url: str) -> dict[str, str]:
    """Return an environment in which no tool reaches a real account: made-up credentials, no profile of the user's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {
        **kept,
        "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}",
        "AWS_ENDPOINT_URL": emulator_url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": KEY,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "SAM_CLI_TELEMETRY": "0",
    }


@contextlib.contextmanager
def step(what: str) -> Iterator[None]:
    """Say what is being done, and how long it took."""
    print(f"{what} ... ", end="", flush=True)
    started = time.monotonic()
    try:
        yield
    except BaseException:
        print("failed")
        raise
    print(f"{time.monotonic() - started:.1f} s")


@contextlib.contextmanager
def deployed(
    emulator_port: int, simulator_port: int, parameters: Mapping[str, str] | None = None, *, own_key: bool = False
) -> Iterator[Stack]:
    """Start everything, deploy with these parameters, and end everything when the block ends.

    With `own_key`, the secret is encrypted with a customer's key of KMS.

    Raises
    ------
    LocalError
        if a port is in use or a step fails.
    """
    if not BUILT_TEMPLATE.exists():
        raise LocalError("Nothing is built: run `make build` first.")
    require_free(emulator_port, "EMULATOR_PORT")
    require_free(simulator_port, "SIMULATOR_PORT")
    emulator_url, simulator_url = f"http://{HOST}:{emulator_port}", f"http://{HOST}:{simulator_port}"
    with contextlib.ExitStack() as started:
        folder = Path(started.enter_context(tempfile.TemporaryDirectory(prefix="call-reject-")))
        environment = {**aws_environment(emulator_url), "TMPDIR": str(folder), "STATE_DIR": str(folder)}
        with step(f"Starting the ZIM simulator on {simulator_url}"):
            started.enter_context(_simulator(simulator_port, simulator_url, environment, folder))
        with step(f"Starting MiniStack, in AWS's place, on {emulator_url}"):
            started.enter_context(emulator(emulator_port, emulator_url, environment, folder))
        stack = Stack(emulator_url, simulator_url, str(folder), {})
        with step("Creating the secret with AppId and ServerSecret"):
            given = {**(parameters or {}), "ZimApiBaseUrl": simulator_url, **_created_secret(stack, own_key=own_key)}
        deploy(stack, given)
        yield stack


def deploy(stack: Stack, given: Mapping[str, str]) -> None:
    """Deploy with these parameters, for the first time or once more; what is not given stays or has its default."""
    with step("Deploying template.yaml with sam deploy"):
        overrides = [f"{name}={value}" for name, value in given.items()]
        command: list[str | Path] = [
            SAM,
            "deploy",
            "--stack-name",
            STACK_NAME,
            "--no-confirm-changeset",
            "--no-progressbar",
        ]
        environment = {**aws_environment(stack.emulator_url), "TMPDIR": stack.log}
        run(
            [*command, "--parameter-overrides", *overrides],
            environment=environment,
            log=Path(stack.log) / "deploy.log",
        )
        stack.outputs.update(_outputs(stack))
    with step("Closing the emulator's gaps (local/emulator_gaps.py)"):
        emulator_gaps.close(stack.client, STACK_NAME)


def _created_secret(stack: Stack, *, own_key: bool) -> dict[str, str]:
    """Create the secret, and return the parameters that tell the template of it."""
    secret = json.dumps({"AppId": APP_ID, "ServerSecret": SERVER_SECRET})
    secrets = stack.client("secretsmanager")
    if not own_key:
        return {"ZimSecretArn": secrets.create_secret(Name="zim", SecretString=secret)["ARN"]}
    key = stack.client("kms").create_key()["KeyMetadata"]["Arn"]
    arn = secrets.create_secret(Name="zim", SecretString=secret, KmsKeyId=key)["ARN"]
    return {"ZimSecretArn": arn, "SecretKmsKeyArn": key}


def _outputs(stack: Stack) -> dict[str, str]:
    described = stack.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}


def _simulator(port: int, url: str, environment: dict[str, str], folder: Path) -> Any:
    return process(
        [sys.executable, "-m", "local.zim_simulator", "--port", str(port)],
        environment={**environment, "PYTHONPATH": str(ROOT)},
        log=folder / "simulator.log",
        ready=lambda: _answers(f"{url}/simulator/health"),
    )


def emulator(port: int, url: str, environment: dict[str, str], folder: Path) -> Any:
    """Return a context in which the emulator runs, in an environment of `aws_environment`; `folder` has its log."""
    # AUTH makes it enforce the policies of the roles and of the queues.
    settings = {
        "AUTH": "true",
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
    }
    return process(
        MINISTACK,
        environment={**environment, **settings},
        log=folder / "ministack.log",
        ready=lambda: _answers(f"{url}/_ministack/health"),
    )


def logged(stack: Stack, found: Callable[[list[str]], bool]) -> list[str]:
    """Return everything in all log groups, as soon as what is looked for is among it."""
    logs = stack.client("logs")
    lines: list[str] = []

    def is_there() -> bool:
        lines[:] = [
            event["message"]
            for group in logs.describe_log_groups()["logGroups"]
            for event in logs.filter_log_events(logGroupName=group["logGroupName"])["events"]
        ]
        return found(lines)

    until(is_there, LOG_SECONDS, "What was looked for was not logged")
    return lines


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=1).ok
    except requests.RequestException:
        return False


@contextlib.contextmanager
def announced(stack: Stack) -> Iterator[None]:
    """Let the other make targets find the stack while the block lasts."""
    STATE_FILE.parent.mkdir(exist_ok=True)
    STATE_FILE.write_text(json.dumps(asdict(stack)))
    try:
        yield
    finally:
        STATE_FILE.unlink(missing_ok=True)
        STATE_FILE.parent.rmdir()


def running() -> Stack:
    """Return the stack that `make run` holds in another terminal, or raise `LocalError` if there is none."""
    try:
        stack = Stack(**json.loads(STATE_FILE.read_text()))
    except FileNotFoundError:
        raise LocalError("No stack is running: start one with `make run` in another terminal.") from None
    if not _answers(f"{stack.simulator_url}/simulator/health"):
        raise LocalError("The stack that was running is gone: start one with `make run` in another terminal.")
    return stack
