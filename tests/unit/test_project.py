"""What surrounds the code: the release's number, the application repository, the deployment, the Makefile."""

import fnmatch
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from samtranslator.yaml_helper import yaml_parse

from local import publishable
from zim.outcome import REJECTED
from zim.return_codes import RETURN_CODES

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())
APPLICATION: dict[str, Any] = TEMPLATE["Metadata"]["AWS::ServerlessRepo::Application"]
README = (ROOT / "README.md").read_text()
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
DEPLOYMENT: dict[str, Any] = yaml_parse((ROOT / "docs" / "github-deploy-role.yaml").read_text())

PUBLISHABLE = {
    *(f"AWS::ApiGatewayV2::{name}" for name in ("Api", "Authorizer", "Integration", "Route", "Stage")),
    *(f"AWS::CloudWatch::{name}" for name in ("Alarm", "Dashboard")),
    "AWS::Events::Rule",
    "AWS::IAM::Role",
    *(f"AWS::Lambda::{name}" for name in ("Alias", "EventSourceMapping", "Permission", "Version")),
    "AWS::Logs::LogGroup",
    *(f"AWS::SQS::{name}" for name in ("Queue", "QueuePolicy")),
    *(f"AWS::Serverless::{name}" for name in ("Function", "LayerVersion")),
}
"""Those of the types that the Serverless Application Repository supports which are of use here (its developer guide,
"List of Supported AWS Resources"). It refuses a template with any other."""


def test_the_changelog_the_openapi_file_and_the_application_have_one_version() -> None:
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", CHANGELOG, re.MULTILINE)
    described = yaml_parse((ROOT / "openapi.yaml").read_text())
    assert described["info"]["version"] == released[0] == APPLICATION["SemanticVersion"]


@pytest.mark.parametrize(
    ("member", "pattern"),
    [
        ("Name", r"[a-zA-Z0-9-]{1,140}"),
        ("Description", r".{1,256}"),
        ("Author", r"(?=.{1,127}$)[a-z0-9](([a-z0-9]|-(?!-))*[a-z0-9])?"),
        ("SpdxLicenseId", "Apache-2.0"),
        ("SemanticVersion", r"\d+\.\d+\.\d+"),
    ],
)
def test_the_applications_metadata_is_as_the_repository_documents_it(member: str, pattern: str) -> None:
    assert re.fullmatch(pattern, APPLICATION[member])


def test_the_applications_labels_are_ten_at_most_and_of_the_documented_form() -> None:
    assert len(APPLICATION["Labels"]) <= 10
    assert all(re.fullmatch(r"[a-zA-Z0-9+\-_:/@]{1,127}", label) for label in APPLICATION["Labels"])


@pytest.mark.parametrize("member", ["LicenseUrl", "ReadmeUrl"])
def test_the_applications_files_exist_for_sam_to_upload(member: str) -> None:
    assert 0 < (ROOT / APPLICATION[member]).stat().st_size < 5_000_000


def test_what_is_published_has_resources_of_publishable_types_alone_and_none_that_others_refer_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packaged = tmp_path / "packaged.yaml"
    packaged.write_text(json.dumps(TEMPLATE))
    monkeypatch.setattr("sys.argv", ["publishable", str(packaged)])
    publishable.main()
    published = yaml.safe_load(packaged.read_text())
    assert {resource["Type"] for resource in published["Resources"].values()} <= PUBLISHABLE
    for name in TEMPLATE["Resources"].keys() - published["Resources"].keys():
        assert name not in packaged.read_text()


def test_the_deploy_role_is_for_one_environment_of_one_repository() -> None:
    trust = DEPLOYMENT["Resources"]["DeployRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert [statement["Condition"] for statement in trust] == [
        {
            "StringEquals": {
                "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
                "token.actions.githubusercontent.com:sub": {
                    "Fn::Sub": "${SubjectPrefix}:environment:${EnvironmentName}"
                },
            }
        }
    ]
    prefix = DEPLOYMENT["Parameters"]["SubjectPrefix"]["AllowedPattern"]
    assert re.search(prefix, "repo:octo-org@123456/octo-repo@456789")
    assert re.search(prefix, "repo:octo-org/octo-repo")
    assert not re.search(prefix, "repo:octo-org/*")


def test_the_execution_role_may_work_on_every_service_of_the_template() -> None:
    prefixes = {"ApiGatewayV2": "apigateway", "Serverless": "lambda"}
    services = {resource["Type"].split("::")[1] for resource in TEMPLATE["Resources"].values()}
    policy = DEPLOYMENT["Resources"]["ExecutionRole"]["Properties"]["Policies"][0]["PolicyDocument"]
    allowed = " ".join(str(statement["Action"]) for statement in policy["Statement"])
    assert not {service for service in services if f"{prefixes.get(service, service.lower())}:" not in allowed}


def test_the_execution_role_may_work_on_every_alarm_and_no_alarm_of_another_stack() -> None:
    policy = DEPLOYMENT["Resources"]["ExecutionRole"]["Properties"]["Policies"][0]["PolicyDocument"]
    (alarms,) = re.findall(r":alarm:([^']+)", str(policy))
    pattern = alarms.replace("${StackName}", "one")
    resources = TEMPLATE["Resources"].values()
    names = [each["Properties"]["AlarmName"]["Fn::Sub"] for each in resources if each["Type"].endswith("::Alarm")]
    assert names
    for name in names:
        assert fnmatch.fnmatchcase(name.replace("${AWS::StackName}", "one"), pattern)
        assert not fnmatch.fnmatchcase(name.replace("${AWS::StackName}", "one-more"), pattern)


def test_every_parameter_is_in_the_readmes_table_and_in_a_group_of_the_console() -> None:
    table = README.partition("\n## Parameters\n")[2].partition("\n## ")[0]
    documented = [
        name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    ]
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]
    assert sorted(documented) == sorted(grouped) == sorted(TEMPLATE["Parameters"])


def test_every_return_code_is_in_the_readmes_row_of_its_outcome() -> None:
    """But for the gateway's, 1000000xx, which the table sums up."""
    missing = {
        code: kind.name
        for code, (kind, _) in RETURN_CODES.items()
        if kind is not REJECTED and code not in range(100000000, 100000100)
        if not re.search(rf"^\|.*\b{code}\b.*\| `{kind.name}` \|$", README, re.MULTILINE)
    }
    assert not missing


def test_make_help_lists_every_target() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    helped = subprocess.run(
        ["make", "--no-print-directory", "help"],  # noqa: S607 - whatever make the person has
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert {line.split()[0] for line in helped.stdout.splitlines()} == set(phony[1].split())
