"""Facts that several files state: the version, tables in the README, links, and what publishing needs."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from samtranslator.yaml_helper import yaml_parse

from local import publishable
from local.vendor_facts import FACTS
from tests.support.paths import DOCS, OPENAPI, ROOT
from tests.support.paths import TEMPLATE as TEMPLATE_PATH
from zim import errors
from zim.errors import CallRejectError
from zim.return_codes import RETURN_CODES

TEMPLATE: dict[str, Any] = yaml_parse(TEMPLATE_PATH.read_text())
APPLICATION: dict[str, Any] = TEMPLATE["Metadata"]["AWS::ServerlessRepo::Application"]
README = (ROOT / "README.md").read_text()
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md")), *sorted(ROOT.glob("examples/*/*.md"))]

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
"""Resource types that the AWS Serverless Application Repository supports, as far as they are of use here.

See https://docs.aws.amazon.com/serverlessrepo/latest/devguide/list-supported-resources.html.
"""


def readme_table(heading: str, first_column: str) -> list[list[str]]:
    """Return the rows of the table in a section of the README."""
    section = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    table = section.partition(f"\n| {first_column} |")[2].partition("\n\n")[0]
    rows = table.splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def test_parameters_in_the_readme_and_the_console_are_those_of_the_template() -> None:
    documented = {
        name: default.strip("`")
        for names, default, _ in readme_table("Parameters", "Parameter")
        for name in re.findall(r"`(\w+)`", names)
    }
    assert documented == {name: str(each.get("Default", "")) for name, each in TEMPLATE["Parameters"].items()}
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(documented)


def test_outcomes_in_the_readme_are_those_of_the_code() -> None:
    rows = {row[0].strip("`"): row[1:] for row in readme_table("Response", "Outcome")}
    assert rows.keys() == {error_class.__name__ for error_class in CallRejectError.__subclasses__()}
    for name, (status, retryable, action, _) in rows.items():
        error_class = getattr(errors, name)
        assert status in {str(error_class.status), ""}
        assert retryable in {"yes" if error_class.retryable else "no", ""}
        assert action in {error_class.queue_action.name.replace("_THEN", ", then").replace("_", " ").lower(), ""}


def test_return_codes_in_the_readme_are_in_the_row_of_their_outcome() -> None:
    """The README names the codes that CallReject documents, and summarizes those of the gateway and of other APIs."""
    causes = {row[0].strip("`"): row[4] for row in readme_table("Response", "Outcome")}
    documented: set[int] = set()
    for name, cause in causes.items():
        for code in map(int, re.findall(r"\b\d{6,9}\b", cause)):
            error_class, _ = RETURN_CODES[code]
            assert error_class
            assert error_class.__name__ == name
            documented.add(code)
    assert documented >= set(FACTS["call_reject_codes"])


def anchor(heading: str) -> str:
    """Return the anchor that GitHub generates for a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_resolve(page: Path) -> None:
    for link in re.findall(r"\]\(((?!https?://)[^)\s]+)\)", page.read_text()):
        path, _, fragment = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        if fragment:
            headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            assert fragment in {anchor(heading) for heading in headings}, link


def test_the_changelog_openapi_the_project_and_the_application_have_the_same_version() -> None:
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    openapi = yaml.safe_load(OPENAPI.read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert openapi["info"]["version"] == released[0] == APPLICATION["SemanticVersion"] == project["version"]


def test_application_metadata_has_the_documented_form() -> None:
    """See https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-template-publishing-applications-metadata-properties.html."""
    patterns = {
        "Name": r"[a-zA-Z0-9-]{1,140}",
        "Description": r".{1,256}",
        "Author": r"(?=.{1,127}$)[a-z0-9](([a-z0-9]|-(?!-))*[a-z0-9])?",
        "SemanticVersion": r"\d+\.\d+\.\d+",
    }
    for member, pattern in patterns.items():
        assert re.fullmatch(pattern, APPLICATION[member]), member
    assert len(APPLICATION["Labels"]) <= 10
    assert all(re.fullmatch(r"[a-zA-Z0-9+\-_:/@]{1,127}", label) for label in APPLICATION["Labels"])
    assert all((ROOT / APPLICATION[member]).is_file() for member in ("LicenseUrl", "ReadmeUrl"))


def test_a_published_template_has_only_supported_types_and_no_dangling_references(
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
