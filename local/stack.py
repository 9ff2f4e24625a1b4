"""The stack on one machine: SAM deploys `template.yaml` to MiniStack, and a simulator stands in for ZIM."""

import contextlib
import fcntl
import json
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

import boto3
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local import emulator_gaps
from local.paths import BUILT, ROOT
from local.processes import HOST, LocalError, process, require_free, run, temporary_folder, until
from local.zim_simulator.running import SimulatorClient
from local.zim_simulator.zim import APP_ID, SERVER_SECRET

STATE_FILE = Path(os.environ.get("STACK_FILE", ROOT / ".local" / "stack.json"))
"""Where `make run` records its stack. Tests set STACK_FILE, so that they run beside the developer's stack."""

STACK_NAME = "call-reject"
TOPIC_ARNS = [f"arn:aws:sns:us-east-1:000000000000:{name}" for name in ("declined", "raw")]
"""SNS topics that can send to the queue."""

REGION = "us-east-1"
ACCESS_KEY = f"LOCAL{secrets.token_hex(8).upper()}"
SECRET_KEY = secrets.token_hex(20)
"""The keys of the root user of emulators that this process starts. They are new in each process."""

SAM = ROOT / ".venv-sam" / "bin" / "sam"
MINISTACK: list[str | Path] = [ROOT / ".venv-ministack" / "bin" / "python", "-m", "local.emulator"]
BUILT_TEMPLATE = BUILT / "template.yaml"
LOCK_SECONDS = 1.0
LOG_SECONDS = 20.0
API_SECONDS = 30.0
"""API Gateway's limit for an integration."""


@dataclass(frozen=True)
class Stack:
    """A deployed stack.

    `log` is the folder with the logs of its processes, and `outputs` are the template's outputs. The keys are those of
    the emulator's root user.
    """

    emulator_url: str
    simulator_url: str
    log: str
    outputs: dict[str, str]
    access_key: str = ACCESS_KEY
    secret_key: str = field(default=SECRET_KEY, repr=False)

    @property
    def simulator(self) -> SimulatorClient:
        """A client of the simulator that stands in for ZIM."""
        return SimulatorClient(self.simulator_url)

    @property
    def call_reject_url(self) -> str:
        """The URL of `POST /call-reject`."""
        return self.local_url(self.outputs["CallRejectUrl"])

    @property
    def call_reject_async_url(self) -> str:
        """The URL of `POST /call-reject/async`."""
        return self.local_url(self.outputs["CallRejectAsyncUrl"])

    def local_url(self, url: str) -> str:
        """Return the URL in the emulator for a URL of a deployed HTTP API."""
        # By path instead of by host, because not every client resolves names below localhost.
        api = urlsplit(url)
        return f"{self.emulator_url}/_aws/execute-api/{api.netloc.split('.')[0]}{api.path}"

    def client(self, service: str) -> Any:
        """Return a boto3 client for the emulator."""
        return boto3.client(
            service,
            endpoint_url=self.emulator_url,
            region_name=REGION,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
        )

    def queue_depth(self, queue_url: str) -> tuple[int, int]:
        """Return how many messages in a queue are visible, and how many are in flight."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]
        visible, in_flight = (int(attributes[name]) for name in names)
        return visible, in_flight

    def parameters(self) -> dict[str, str]:
        """Return the values of the deployed template's parameters, or none if nothing is deployed."""
        deployed = self.client("cloudformation").describe_stacks()["Stacks"]
        parameters = [each for found in deployed if found["StackName"] == STACK_NAME for each in found["Parameters"]]
        return {each["ParameterKey"]: each["ParameterValue"] for each in parameters}

    def environment(self) -> dict[str, str]:
        """Return an environment in which AWS tools use the emulator."""
        return aws_environment(self.emulator_url, self.access_key, self.secret_key)

    def environments(self, function: str) -> list[int]:
        """Return the ids of the processes in which the emulator runs a function's execution environments."""
        functions = self.client("lambda").list_functions()["Functions"]
        name = next(each["FunctionName"] for each in functions if f"-{function}-" in each["FunctionName"])
        variables = {f"AWS_LAMBDA_FUNCTION_NAME={name}".encode(), f"AWS_ENDPOINT_URL={self.emulator_url}".encode()}
        ids = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # the process has ended or belongs to another user
                if variables <= set((folder / "environ").read_bytes().split(b"\0")):
                    ids.append(int(folder.name))
        return ids

    def post(
        self, body: str | bytes, headers: dict[str, str] | None = None, *, signed: bool = True
    ) -> requests.Response:
        """Send a body to `POST /call-reject`."""
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
        """Send a request to the deployed API, signed with SigV4 by default."""
        request = AWSRequest(method, url, data=body, headers={"Content-Type": "application/json", **(headers or {})})
        if signed:
            SigV4Auth(Credentials(self.access_key, self.secret_key), "execute-api", REGION).add_auth(request)
        return requests.request(method, url, data=body, headers=dict(request.headers), timeout=seconds)


def aws_environment(emulator_url: str, access_key: str = ACCESS_KEY, secret_key: str = SECRET_KEY) -> dict[str, str]:
    """Return an environment in which AWS tools use the emulator, and no profile or credentials of the user."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {
        **kept,
        "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}",
        "AWS_ENDPOINT_URL": emulator_url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret_key,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "SAM_CLI_POLL_DELAY": "0.2",  # seconds; the default of 5 s is for AWS
        "SAM_CLI_TELEMETRY": "0",
    }


def page_origins(simulator_port: int) -> list[str]:
    """Return the origins at which a browser can open the simulator's page."""
    return [f"http://{host}:{simulator_port}" for host in (HOST, "localhost")]


@contextlib.contextmanager
def step(description: str) -> Iterator[None]:
    """Print the description of a step and how long it took."""
    print(f"{description} ... ", end="", flush=True)
    started = time.monotonic()
    try:
        yield
    except BaseException:
        print("failed")
        raise
    print(f"{time.monotonic() - started:.1f} s")


@contextlib.contextmanager
def deployed(
    emulator_port: int,
    simulator_port: int,
    parameters: Mapping[str, str] | None = None,
    *,
    own_key: bool = False,
    template: Path = BUILT_TEMPLATE,
) -> Iterator[Stack]:
    """Start the simulator and the emulator, deploy the template, and stop both when the block ends.

    Parameters
    ----------
    emulator_port, simulator_port
        the ports to listen on.
    parameters
        parameters of the template, besides those for the simulator and the secret.
    own_key
        if true, the secret is encrypted with a customer managed KMS key.
    template
        the template to deploy, in the output of `sam build`.

    Raises
    ------
    LocalError
        if a port is in use or a step fails.
    """
    if not template.exists():
        raise LocalError("The template is not built. Run `make build`.")
    require_free({"EMULATOR_PORT": emulator_port, "SIMULATOR_PORT": simulator_port})
    emulator_url, simulator_url = f"http://{HOST}:{emulator_port}", f"http://{HOST}:{simulator_port}"
    with contextlib.ExitStack() as started:
        folder = started.enter_context(temporary_folder("call-reject-"))
        origins = [*page_origins(simulator_port), (parameters or {}).get("AllowedOrigins", "")]
        environment = {
            **aws_environment(emulator_url),
            "ALLOWED_ORIGINS": ",".join(filter(None, origins)),
            "TMPDIR": str(folder),
            "STATE_DIR": str(folder),
        }
        with step(f"Starting the ZIM simulator on {simulator_url}"):
            started.enter_context(_simulator(simulator_port, simulator_url, environment, folder))
        with step(f"Starting MiniStack, the AWS emulator, on {emulator_url}"):
            started.enter_context(emulator(emulator_port, emulator_url, environment, folder))
        stack = Stack(emulator_url, simulator_url, str(folder), {})
        with step("Creating the secret with AppId and ServerSecret"):
            secret = _create_secret(stack, own_key=own_key)
        topics = {"SnsTopicArns": ",".join(TOPIC_ARNS)}
        deploy(stack, {**topics, **(parameters or {}), "ZimApiBaseUrl": simulator_url, **secret}, template)
        yield stack


def deploy(stack: Stack, parameters: Mapping[str, str], template: Path = BUILT_TEMPLATE) -> None:
    """Create or update the stack. Other parameters keep their value, or get their default."""
    with step("Deploying template.yaml with sam deploy"):
        command: list[str | Path] = [SAM, "deploy", "--stack-name", STACK_NAME]
        command += ["--template-file", template, "--config-file", ROOT / "samconfig.toml"]
        command += ["--no-confirm-changeset", "--no-progressbar", "--parameter-overrides"]
        command += [f"{name}={value}" for name, value in parameters.items()]
        environment = {**stack.environment(), "TMPDIR": stack.log}
        run(command, environment=environment, log=Path(stack.log) / "deploy.log")
        deployed_stack = stack.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"][0]
        stack.outputs.update({each["OutputKey"]: each["OutputValue"] for each in deployed_stack["Outputs"]})
    with step("Applying the settings that the emulator ignores"):
        emulator_gaps.close(stack.client, STACK_NAME, stack.parameters())


def _create_secret(stack: Stack, *, own_key: bool) -> dict[str, str]:
    """Create the secret and return the template's parameters for it."""
    value = json.dumps({"AppId": APP_ID, "ServerSecret": SERVER_SECRET})
    manager = stack.client("secretsmanager")
    if not own_key:
        return {"ZimSecretArn": manager.create_secret(Name="zim", SecretString=value)["ARN"]}
    key = stack.client("kms").create_key()["KeyMetadata"]["Arn"]
    arn = manager.create_secret(Name="zim", SecretString=value, KmsKeyId=key)["ARN"]
    return {"ZimSecretArn": arn, "SecretKmsKeyArn": key}


def _simulator(port: int, url: str, environment: dict[str, str], folder: Path) -> Any:
    return process(
        [sys.executable, "-m", "local.zim_simulator", "--port", str(port)],
        environment={**environment, "PYTHONPATH": str(ROOT)},
        log=folder / "simulator.log",
        ready=lambda: _responds(f"{url}/simulator/health"),
    )


def emulator(port: int, url: str, environment: dict[str, str], folder: Path) -> Any:
    """Run the emulator until the block ends, in an environment from `aws_environment`; its log goes to `folder`."""
    # AUTH enforces the policies of roles and queues.
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
        ready=lambda: _responds(f"{url}/_ministack/health"),
        folder=ROOT,
    )


def logged(stack: Stack, found: Callable[[list[str]], bool]) -> list[str]:
    """Wait until `found` returns true for the lines in all log groups, and return the lines."""
    logs = stack.client("logs")
    lines: list[str] = []

    def is_found() -> bool:
        lines[:] = [
            event["message"]
            for group in logs.describe_log_groups()["logGroups"]
            for event in logs.filter_log_events(logGroupName=group["logGroupName"])["events"]
        ]
        return found(lines)

    until(is_found, LOG_SECONDS, "The expected lines were not logged")
    return lines


def _responds(url: str) -> bool:
    try:
        return requests.get(url, timeout=1).ok
    except requests.RequestException:
        return False


@contextlib.contextmanager
def recorded(emulator_port: int, simulator_port: int) -> Iterator[Callable[[Stack], None]]:
    """Reserve this folder for one `make run` until the block ends.

    Yields a function that records the deployed stack in a file, where the other make targets find it. The lock on the
    file ends with the process, so a file of a killed process is not in the way.

    Raises
    ------
    LocalError
        if another process has reserved the folder.
    """
    STATE_FILE.parent.mkdir(parents=True, exist_ok=True)
    # The file contains the keys of the emulator.
    with open(os.open(STATE_FILE, os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:  # noqa: PTH123 - Path cannot set the mode
        try:
            # Other make targets hold the lock for a moment, in `running`.
            until(lambda: _lock(file, fcntl.LOCK_EX), LOCK_SECONDS, "The folder was not reserved")
        except LocalError:
            raise LocalError(_already_running(json.loads(file.read() or "{}"))) from None

        def record(stack: Stack | None) -> None:
            state = {
                "process_id": os.getpid(),
                "emulator_port": emulator_port,
                "simulator_port": simulator_port,
                "stack": asdict(stack) if stack else None,
            }
            file.seek(0)
            file.truncate()
            json.dump(state, file)
            file.flush()

        record(None)
        try:
            yield record
        finally:
            file.truncate(0)


def _already_running(state: Mapping[str, Any]) -> str:
    number = state.get("process_id", "unknown")
    return f"""A stack is already running in this folder, in process {number}:
  page and ZIM simulator: http://{HOST}:{state.get("simulator_port")}
  emulator: http://{HOST}:{state.get("emulator_port")}
To end it, press Ctrl-C in its terminal, or run `kill {number}`.
To run another one at the same time, use another clone and other ports."""


def running() -> Stack:
    """Return the stack that `make run` runs in another terminal. Raise `LocalError` if there is none."""
    with contextlib.suppress(FileNotFoundError), STATE_FILE.open("r+") as file:
        if not _lock(file, fcntl.LOCK_SH):
            state = json.loads(file.read() or "{}")
            if not state.get("stack"):
                raise LocalError("The stack is not deployed yet. Try again when `make run` has printed Ready.")
            return Stack(**state["stack"])
    raise LocalError("No stack is running. Start one with `make run` in another terminal.")


def _lock(file: TextIO, kind: int) -> bool:
    """Lock a file until it is closed, and return whether that is possible now."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
