"""The examples for CDK and Terraform, compared with the template that they deploy."""

import json
import os
import shutil
import subprocess
from typing import Any

import hcl2
import pytest
from samtranslator.yaml_helper import yaml_parse

from tests.support.paths import ROOT, TEMPLATE

EXAMPLES = ROOT / "examples"
NODE = ROOT / ".venv" / "bin" / "node"
DEPLOYED: dict[str, Any] = yaml_parse(TEMPLATE.read_text())
REQUIRED = {name for name, each in DEPLOYED["Parameters"].items() if "Default" not in each}
URL = "https://bucket.s3.us-east-1.amazonaws.com/call-reject-1.0.0.yaml"
ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:zim-AbCdEf"


@pytest.fixture(scope="module")
def synthesized(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The template that CDK makes from the example."""
    folder = tmp_path_factory.mktemp("cdk")
    shutil.copy(EXAMPLES / "cdk" / "app.mjs", folder)
    (folder / "node_modules").symlink_to(ROOT / "requirements" / "node_modules")
    context = json.dumps({"templateUrl": URL, "zimSecretArn": ARN})
    environment = {**os.environ, "CDK_OUTDIR": str(folder / "out"), "CDK_CONTEXT_JSON": context}
    subprocess.run([NODE, "app.mjs"], cwd=folder, env=environment, check=True, capture_output=True)
    template: dict[str, Any] = json.loads((folder / "out" / "MyApp.template.json").read_text())
    return template


def test_cdk_synthesizes_a_nested_stack_with_the_required_parameters(synthesized: dict[str, Any]) -> None:
    assert synthesized["Resources"]["CallReject"] == {
        "Type": "AWS::CloudFormation::Stack",
        "Properties": {"TemplateURL": URL, "Parameters": dict.fromkeys(REQUIRED, ARN)},
    }


def test_cdk_uses_an_output_of_the_template(synthesized: dict[str, Any]) -> None:
    value = synthesized["Outputs"]["CallRejectUrl"]["Value"]
    logical_id, attribute = value["Fn::GetAtt"]
    assert (logical_id, attribute.partition(".")[0]) == ("CallReject", "Outputs")
    assert attribute.partition(".")[2] in DEPLOYED["Outputs"]


def test_terraform_passes_the_required_parameters_and_uses_an_output_of_the_template() -> None:
    """Parsed only: Terraform and its providers are not packages of PyPI or npm."""
    document = hcl2.loads((EXAMPLES / "terraform" / "main.tf").read_text())
    (resource,) = document["resource"]
    stack = resource['"aws_cloudformation_stack"']['"call_reject"']
    assert stack["template_url"] == "${var.template_url}"
    assert stack["parameters"] == dict.fromkeys(REQUIRED, "${var.zim_secret_arn}")
    assert stack["capabilities"] == ['"CAPABILITY_IAM"', '"CAPABILITY_AUTO_EXPAND"']
    (output,) = document["output"]
    name = output['"call_reject_url"']["value"].split('"')[1]
    assert name in DEPLOYED["Outputs"]
