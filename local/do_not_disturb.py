"""`make do-not-disturb`: deploy examples/do-not-disturb onto the running stack and reject a call as a demonstration."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from local.client import token
from local.paths import ROOT
from local.processes import LocalError, exit_on_error, run, until
from local.stack import SAM, Stack, running, step

EXAMPLE = ROOT / "examples" / "do-not-disturb"
STACK_NAME = "do-not-disturb"
BUILT_TEMPLATE = ROOT / ".aws-sam" / "do-not-disturb" / "build" / "template.yaml"
CALLBACK_SECRET = "a-made-up-callback-secret"
USER = "user0"
WAIT_SECONDS = 30.0
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

    def request(self, method: str, token: str, path: str = "", **members: object) -> requests.Response:
        """Send a request of a user to `/do-not-disturb`. `members` are those of the body."""
        return requests.request(
            method,
            f"{self.url}{path}",
            json=members or None,
            headers={"Authorization": f"Bearer {token}"},
            timeout=HTTP_SECONDS,
        )


def deploy(stack: Stack, parameters: Mapping[str, str]) -> DoNotDisturb:
    """Deploy the example next to a stack. Raises `LocalError` if a step fails.

    Parameters
    ----------
    stack
        the stack that rejects the calls. Its parameter SnsTopicArns must contain the topic of the example.
    parameters
        parameters of the example, besides those for the queue and the secret.
    """
    if not BUILT_TEMPLATE.exists():
        raise LocalError("The example is not built. Run `make build`.")
    with step("Deploying examples/do-not-disturb with sam deploy"):
        values = {**parameters, "QueueArn": stack.outputs["QueueArn"], "CallbackSecretArn": _create_secret(stack)}
        command: list[str | Path] = [SAM, "deploy", "--stack-name", STACK_NAME]
        command += ["--template-file", BUILT_TEMPLATE, "--config-file", EXAMPLE / "samconfig.toml"]
        command += ["--no-confirm-changeset", "--no-progressbar", "--no-fail-on-empty-changeset"]
        command += ["--parameter-overrides", *(f"{name}={value}" for name, value in values.items())]
        environment = {**stack.environment(), "TMPDIR": stack.log}
        run(command, environment=environment, log=Path(stack.log) / "deploy-do-not-disturb.log")
    deployed = stack.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    return DoNotDisturb(stack, {each["OutputKey"]: each["OutputValue"] for each in deployed["Outputs"]})


def _create_secret(stack: Stack) -> str:
    manager = stack.client("secretsmanager")
    value = json.dumps({"CallbackSecret": CALLBACK_SECRET})
    try:
        return str(manager.create_secret(Name="zim-callback", SecretString=value)["ARN"])
    except manager.exceptions.ResourceExistsException:
        return str(manager.describe_secret(SecretId="zim-callback")["ARN"])


def main() -> None:
    """Deploy, switch "do not disturb" on for a user, and show that a call to the user is rejected."""
    stack = running()
    main_stack = stack.client("cloudformation").describe_stacks(StackName="call-reject")["Stacks"][0]
    values = {each["ParameterKey"]: each["ParameterValue"] for each in main_stack["Parameters"]}
    example = deploy(stack, {name: values[name] for name in ("JwtIssuer", "JwtAudience")})
    example.receive_callbacks()
    user_token = token(stack, USER)
    until_time = int(time.time()) + 3600
    print(f'\nPUT {example.url} {{"Until": {until_time}}} with a token for {USER}')
    response = example.request("PUT", user_token, Until=until_time)
    print(f"{response.status_code} {response.reason}\n")
    if not response.ok:
        raise LocalError(response.text)
    call_id = stack.simulator.ring(USER, caller="caller0")
    print(f"caller0 calls {USER}. Call state in ZIM: {stack.simulator.call(call_id).state}")
    until(lambda: stack.simulator.call(call_id).state == "rejected", WAIT_SECONDS, "The call was not rejected")
    seconds = stack.simulator.call(call_id).rejected_after[USER] or 0
    print(f"Call state in ZIM: rejected, {seconds:.2f} s after the ring")
    print(f'\n"Do not disturb" stays on for {USER} for an hour. To switch it off:\n')
    print(f'  curl -X DELETE {example.url} -H "Authorization: Bearer $(make token USER={USER})"')


if __name__ == "__main__":
    with exit_on_error("make do-not-disturb"):
        main()
