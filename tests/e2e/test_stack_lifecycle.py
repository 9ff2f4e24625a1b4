"""The life of a stack: `sam deploy --guided` as in the README, an update, and its deletion."""

import base64
import hashlib
import os
import pty
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from local import publishable
from local.issuer import AUDIENCE, issuer
from local.package import package
from local.processes import HOST, LocalError, free_port, run
from local.stack import SAM, STACK_NAME, Stack, aws_environment, deploy, emulator
from tests.support.paths import BUILT, DOCS, ROOT

DEPLOY_SECONDS = 90.0
PROMPT = re.compile(r"([^\r\n]+) \[[^\r\n]*\]: $")
BOLD = re.compile(r"\x1b\[\d+m")


def run_in_terminal(command: list[str | Path], environment: dict[str, str], answers: dict[str, str]) -> None:
    """Run a command in a terminal and answer its questions, by default with Enter."""
    terminal, command_side = pty.openpty()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=command_side,
        stdout=command_side,
        stderr=command_side,
        start_new_session=True,
    )
    os.close(command_side)
    os.set_blocking(terminal, False)
    output, unanswered = "", ""
    deadline = time.monotonic() + DEPLOY_SECONDS
    try:
        while process.poll() is None:
            assert time.monotonic() < deadline, output
            try:
                text = os.read(terminal, 65536).decode(errors="replace")
            except OSError:  # no output yet, or the command has closed its side
                time.sleep(0.05)
                continue
            output, unanswered = output + text, unanswered + text
            if question := PROMPT.search(BOLD.sub("", unanswered)):
                os.write(terminal, answers.get(question[1].strip(), "").encode() + b"\n")
                unanswered = ""
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
    assert process.returncode == 0, output


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lifecycle")


@pytest.fixture(scope="module")
def environment(stack: Stack, folder: Path) -> dict[str, str]:
    return {**aws_environment(stack.emulator_url), "TMPDIR": str(folder)}


@pytest.fixture(scope="module")
def stack(folder: Path) -> Iterator[Stack]:
    """An emulator without a stack yet."""
    port = free_port()
    stack = Stack(f"http://{HOST}:{port}", "", str(folder), {})
    environment = {**aws_environment(stack.emulator_url), "TMPDIR": str(folder), "STATE_DIR": str(folder)}
    with emulator(port, stack.emulator_url, environment, folder):
        yield stack


def test_a_guided_deployment_needs_only_the_arn_of_the_secret(
    stack: Stack, environment: dict[str, str], folder: Path
) -> None:
    settings = folder / "samconfig.toml"  # SAM saves the answers in this copy
    shutil.copy(ROOT / "samconfig.toml", settings)
    arn = stack.client("secretsmanager").create_secret(Name="zim", SecretString="{}")["ARN"]
    answers = {"Parameter ZimSecretArn": arn, "Deploy this changeset?": "y"}
    run_in_terminal([SAM, "deploy", "--guided", "--config-file", settings], environment, answers)
    (deployed,) = stack.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"]
    assert deployed["StackStatus"] == "CREATE_COMPLETE"
    assert arn in settings.read_text()


def test_the_packaged_template_can_be_published(stack: Stack, environment: dict[str, str], folder: Path) -> None:
    template = folder / "packaged.yaml"
    commands: list[list[str | Path]] = [
        [SAM, "package", "--resolve-s3", "--output-template-file", template],
        [sys.executable, "-m", "local.publishable", template],
    ]
    for command in commands:
        run(command, environment=environment, log=folder / "package.log")
    resources = yaml_parse(template.read_text())["Resources"]
    assert resources["CallRejectFunction"]["Properties"]["CodeUri"].startswith("s3://")
    assert publishable.NOT_PUBLISHED.isdisjoint(resource["Type"] for resource in resources.values())


def test_switching_to_jwt_takes_effect_with_the_update(stack: Stack) -> None:
    arn = stack.client("secretsmanager").describe_secret(SecretId="zim")["ARN"]
    request = '{"FromUserId":"user0","CallId":"call-1"}'
    with issuer() as oidc:
        deploy(stack, {"ZimSecretArn": arn, "JwtIssuer": oidc.url, "JwtAudience": AUDIENCE})
        token = {"Authorization": f"Bearer {oidc.token('user1')}"}
        for url in (stack.call_reject_url, stack.call_reject_async_url):
            assert stack.request("POST", url, request).status_code == 401
            assert stack.request("POST", url, request, token, signed=False).status_code == 403


def test_two_quotes_empty_a_parameter_and_sam_ignores_an_unknown_name(stack: Stack) -> None:
    deploy(stack, {"JwtIssuer": '""', "JwtAudience": '""', "LogLevell": "DEBUG"})
    values = stack.parameters()
    assert (values["JwtIssuer"], values["JwtAudience"], values["LogLevel"]) == ("", "", "INFO")
    assert "LogLevell" not in values


@pytest.mark.parametrize(("value", "error"), [("foo", "must be one or more origins"), ("", "not a valid format")])
def test_an_invalid_value_of_a_parameter_is_an_error(stack: Stack, value: str, error: str) -> None:
    with pytest.raises(LocalError, match=error):
        deploy(stack, {"AllowedOrigins": value})


def commands(page: str, section: str) -> str:
    """Return the first block of commands in a section of a guide."""
    text = (DOCS / page).read_text().partition(f"\n## {section}\n")[2]
    return text.partition("```bash\n")[2].partition("```")[0]


def test_a_release_can_be_deployed_with_the_aws_cli_alone_and_compared(
    stack: Stack, environment: dict[str, str], folder: Path
) -> None:
    """Runs the commands of docs/deploy.md as an update, and compares the checksums as docs/verify.md describes."""
    release = folder / "release"
    release.mkdir()
    package(BUILT, release)
    arn = stack.client("secretsmanager").describe_secret(SecretId="zim")["ARN"]
    script = commands("deploy.md", "From a release").replace("<bucket>", "releases").replace("<arn>", arn)
    path = f"{ROOT / '.venv-aws' / 'bin'}:{environment['PATH']}"
    run(
        ["bash", "-euc", f"cd {release}\n{script}"],
        environment={**environment, "PATH": path},
        log=folder / "aws.log",
    )
    functions = stack.client("lambda")
    names = [each["FunctionName"] for each in functions.list_functions()["Functions"]]
    assert len(names) == 3
    for name in names:
        file = release / f"{name.split('-')[2]}.zip"
        deployed = functions.get_function_configuration(FunctionName=name, Qualifier="live")
        assert base64.b64decode(deployed["CodeSha256"]) == hashlib.sha256(file.read_bytes()).digest()


def remaining_resources(stack: Stack) -> dict[str, list[Any]]:
    """Return all resources that a stack can leave behind, by type. SAM's own stack for its bucket is not counted."""
    client = stack.client("lambda")
    stacks = stack.client("cloudformation").describe_stacks()["Stacks"]
    return {
        "stacks": [each["StackName"] for each in stacks if each["StackName"] == STACK_NAME],
        "functions": client.list_functions()["Functions"],
        "layers": client.list_layers()["Layers"],
        "event sources": client.list_event_source_mappings()["EventSourceMappings"],
        "APIs": stack.client("apigatewayv2").get_apis()["Items"],
        "queues": stack.client("sqs").list_queues().get("QueueUrls", []),
        "rules": stack.client("events").list_rules()["Rules"],
        "roles": stack.client("iam").list_roles()["Roles"],
        "log groups": stack.client("logs").describe_log_groups()["logGroups"],
        "dashboards": stack.client("cloudwatch").list_dashboards()["DashboardEntries"],
    }


def test_deleting_the_stack_keeps_only_the_dead_letters_and_the_secret(
    stack: Stack, environment: dict[str, str], folder: Path
) -> None:
    assert not [kind for kind, found in remaining_resources(stack).items() if not found]
    sqs, letters = stack.client("sqs"), stack.outputs["DeadLetterQueueUrl"]
    sqs.send_message(QueueUrl=letters, MessageBody="a dead letter")
    command: list[str | Path] = [SAM, "delete", "--stack-name", STACK_NAME, "--no-prompts"]
    run(command, environment=environment, log=folder / "delete.log")
    remaining = {kind: found for kind, found in remaining_resources(stack).items() if found}
    (queue,) = remaining.pop("queues")
    assert (remaining, queue.rpartition("/")[2]) == ({}, letters.rpartition("/")[2])
    assert [message["Body"] for message in sqs.receive_message(QueueUrl=letters)["Messages"]] == ["a dead letter"]
    assert [secret["Name"] for secret in stack.client("secretsmanager").list_secrets()["SecretList"]] == ["zim"]
