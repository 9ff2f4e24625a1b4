"""examples/do-not-disturb, deployed next to a stack."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from botocore.exceptions import ClientError

from local.paths import ROOT
from local.processes import LocalError, run
from local.stack import SAM, Stack, step

FOLDER = ROOT / "examples" / "do-not-disturb"
STACK_NAME = "do-not-disturb"
BUILT_TEMPLATE = ROOT / ".aws-sam" / "do-not-disturb" / "build" / "template.yaml"
CALLBACK_SECRET = "a-made-up-callback-secret"
HTTP_SECONDS = 10.0


@dataclass(frozen=True)
class DoNotDisturb:
    """The example, deployed next to a stack. `outputs` are the outputs of its template."""

    stack: Stack
    outputs: dict[str, str]

    @property
    def callback_url(self) -> str:
        """The URL of `POST /callbacks/zim`."""
        return self.stack.local_url(self.outputs["CallbackUrl"])

    @property
    def url(self) -> str:
        """The URL of `/do-not-disturb`."""
        return self.stack.local_url(self.outputs["DoNotDisturbUrl"])

    def receive_callbacks(self, **settings: Any) -> None:
        """Make the simulator send its callbacks to the example until a reset. `settings` are those of the simulator."""
        self.stack.simulator.send_callbacks(self.callback_url, CALLBACK_SECRET, **settings)

    def request(
        self, method: str, token: str | None, path: str = "", body: dict[str, int] | None = None
    ) -> requests.Response:
        """Send a request of a user to `/do-not-disturb`. Raises `LocalError` if it fails."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        response = requests.request(method, f"{self.url}{path}", json=body, headers=headers, timeout=HTTP_SECONDS)
        if not response.ok:
            raise LocalError(f"{method} {self.url}{path}: {response.status_code} {response.text}")
        return response


def deploy(stack: Stack) -> DoNotDisturb:
    """Deploy the example next to a stack, with the same issuer of tokens. Raises `LocalError` if a step fails."""
    if not BUILT_TEMPLATE.exists():
        raise LocalError("The example is not built. Run `make build`.")
    with step("Deploying examples/do-not-disturb with sam deploy"):
        values = {**_issuer(stack), "CallbackSecretArn": _create_secret(stack)}
        command: list[str | Path] = [SAM, "deploy", "--stack-name", STACK_NAME]
        command += ["--template-file", BUILT_TEMPLATE, "--config-file", FOLDER / "samconfig.toml"]
        command += ["--no-confirm-changeset", "--no-progressbar", "--no-fail-on-empty-changeset"]
        command += ["--parameter-overrides", *(f"{name}={value}" for name, value in values.items())]
        environment = {**stack.environment(), "TMPDIR": stack.log}
        run(command, environment=environment, log=Path(stack.log) / "deploy-do-not-disturb.log")
    return find(stack)


def find(stack: Stack) -> DoNotDisturb:
    """Return the example that is deployed next to a stack. Raises `LocalError` if there is none."""
    cloudformation = stack.client("cloudformation")
    try:
        deployed = cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    except ClientError:  # CloudFormation has no code of its own for a stack that does not exist
        raise LocalError("The example is not deployed. Run `make do-not-disturb`.") from None
    return DoNotDisturb(stack, {each["OutputKey"]: each["OutputValue"] for each in deployed["Outputs"]})


def _issuer(stack: Stack) -> dict[str, str]:
    """Return the parameters of a stack that name the issuer of its tokens."""
    values = stack.parameters()
    return {name: values[name] for name in ("JwtIssuer", "JwtAudience", "JwtUserClaim")}


def _create_secret(stack: Stack) -> str:
    manager = stack.client("secretsmanager")
    value = json.dumps({"CallbackSecret": CALLBACK_SECRET})
    try:
        return str(manager.create_secret(Name="zim-callback", SecretString=value)["ARN"])
    except manager.exceptions.ResourceExistsException:
        return str(manager.describe_secret(SecretId="zim-callback")["ARN"])
