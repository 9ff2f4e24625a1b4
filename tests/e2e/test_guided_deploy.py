"""The first deployment as the README has it: `sam deploy --guided`, at a terminal."""

import os
import pty
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

from samtranslator.yaml_helper import yaml_parse

from local import publishable
from local.processes import HOST, free_port, run
from local.stack import ROOT, SAM, STACK_NAME, Stack, aws_environment, emulator

PARAMETERS = list(yaml_parse((ROOT / "template.yaml").read_text())["Parameters"])
DEPLOY_SECONDS = 90.0
PROMPT = re.compile(r"([^\r\n]+) \[[^\r\n]*\]: $")
BOLD = re.compile(r"\x1b\[\d+m")
ENTER = ""


def asked_by(command: list[str | Path], environment: dict[str, str], answers: dict[str, str]) -> list[str]:
    """Run a command at a terminal, answer its questions, with Enter where no answer is given, and return them."""
    ours, theirs = pty.openpty()
    started = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    os.set_blocking(ours, False)
    questions: list[str] = []
    said, unanswered = "", ""
    deadline = time.monotonic() + DEPLOY_SECONDS
    try:
        while started.poll() is None:
            assert time.monotonic() < deadline, said
            try:
                unanswered += os.read(ours, 65536).decode(errors="replace")
            except OSError:  # nothing to read now, or the other end is closed
                time.sleep(0.05)
                continue
            if asked := PROMPT.search(BOLD.sub("", unanswered)):
                question = asked[1].strip()
                questions.append(question)
                os.write(ours, answers.get(question, ENTER).encode() + b"\n")
                said, unanswered = said + unanswered, ""
    finally:
        started.kill()
        started.wait()
        os.close(ours)
    assert started.returncode == 0, said + unanswered
    return questions


def test_a_guided_deployment_needs_the_secrets_arn_a_yes_and_enter_for_the_rest(tmp_path: Path) -> None:
    settings = tmp_path / "samconfig.toml"  # a copy, for the answers are saved in it
    shutil.copy(ROOT / "samconfig.toml", settings)
    port = free_port()
    stack = Stack(f"http://{HOST}:{port}", "", str(tmp_path), {})
    environment = {**aws_environment(stack.emulator_url), "TMPDIR": str(tmp_path), "STATE_DIR": str(tmp_path)}
    with emulator(port, stack.emulator_url, environment, tmp_path):
        arn = stack.client("secretsmanager").create_secret(Name="zim", SecretString="{}")["ARN"]
        answers = {"Parameter ZimSecretArn": arn, "Deploy this changeset?": "y"}
        asked = asked_by([SAM, "deploy", "--guided", "--config-file", settings], environment, answers)
        deployed = stack.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"][0]
        packaged = tmp_path / "packaged.yaml"
        package: list[str | Path] = [SAM, "package", "--resolve-s3", "--output-template-file", packaged]
        run(package, environment=environment, log=tmp_path / "package.log")
    assert asked[2] == "Parameter ZimSecretArn"
    assert asked == [
        "Stack Name",
        "AWS Region",
        *(f"Parameter {name}" for name in PARAMETERS),
        "Confirm changes before deploy",
        "Allow SAM CLI IAM role creation",
        "Disable rollback",
        "Save arguments to configuration file",
        "SAM configuration file",
        "SAM configuration environment",
        "Deploy this changeset?",
    ]
    assert deployed["StackStatus"] == "CREATE_COMPLETE"
    saved = tomllib.loads(settings.read_text())["default"]["deploy"]["parameters"]
    assert f'ZimSecretArn="{arn}"' in saved["parameter_overrides"]
    run(
        [sys.executable, "-m", "local.publishable", packaged], environment=environment, log=tmp_path / "publishable.log"
    )
    resources = yaml_parse(packaged.read_text())["Resources"]
    assert resources["CallRejectFunction"]["Properties"]["CodeUri"].startswith("s3://")
    assert publishable.NOT_PUBLISHED.isdisjoint(each["Type"] for each in resources.values())
