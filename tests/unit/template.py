"""`template.yaml`: read, expanded as SAM's transform expands it on AWS, and resolved as CloudFormation does it then."""

import copy
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from samtranslator.translator.managed_policy_translator import ManagedPolicyLoader
from samtranslator.translator.transform import transform

ROOT = Path(__file__).resolve().parents[2]

type Resources = dict[str, dict[str, Any]]
type Given = Mapping[str, str]
"""Values of parameters, as text; the others have their defaults, or what `GIVEN` says."""

SECRETS = "arn:aws:secretsmanager:us-east-1:123456789012:secret:"
GIVEN = {
    "ZimSecretArn": f"{SECRETS}zim-AbCdEf",
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackName": "stack",
}
_NOTHING = object()


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as what they stand for."""


def _short_form(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _short_form)
TEMPLATE: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), _Loader)  # noqa: S506 - a SafeLoader
RESOURCES: Resources = TEMPLATE["Resources"]


def expanded(given: Given = GIVEN, *, artifacts: Mapping[str, str] = GIVEN, template: Any = TEMPLATE) -> Resources:
    """Return the resources that SAM makes of the template; `artifacts` are keys in S3, by resource."""
    packaged = copy.deepcopy(template)
    for name, resource in packaged["Resources"].items():
        for uri in {"CodeUri", "ContentUri"} & resource["Properties"].keys():
            resource["Properties"][uri] = f"s3://bucket/{artifacts.get(name, name)}"
    parameters = {name: value for name, value in given.items() if name in TEMPLATE["Parameters"]}
    resources: Resources = transform(packaged, parameters, ManagedPolicyLoader(None))["Resources"]
    return resources


EXPANDED = expanded()


def of_type(name: str, among: Resources = RESOURCES) -> Resources:
    """Return the properties of all resources of a type, by logical id."""
    return {key: value["Properties"] for key, value in among.items() if value["Type"] == name}


def allowed(given: Given) -> bool:
    """Tell whether the template's rules allow these values."""
    assertions = [assertion for rule in TEMPLATE["Rules"].values() for assertion in rule["Assertions"]]
    return all(resolved(assertion["Assert"], given) for assertion in assertions)


def resolved(part: Any, given: Given = GIVEN) -> Any:  # noqa: PLR0911 - a return for each form
    """Return a part of the template as these values make it; what names another resource stays as it is."""
    if isinstance(part, list):
        return [value for value in (resolved(each, given) for each in part) if value is not _NOTHING]
    if not isinstance(part, dict):
        return part
    match list(part.items()):
        case [("Ref", name)]:
            return _value(name, given, part)
        case [("Fn::GetAtt", name)]:
            return _value(name if isinstance(name, str) else ".".join(name), given, part)
        case [("Condition", name)]:
            return resolved(TEMPLATE["Conditions"][name], given)
        case [("Fn::If", (name, this, that))]:
            return resolved(this if resolved({"Condition": name}, given) else that, given)
        case [("Fn::Sub", argument)]:
            return _substituted(resolved(argument, given), given)
        case [(name, argument)] if name in _FUNCTIONS:
            return _FUNCTIONS[name](resolved(argument, given))
    return {key: value for key, each in part.items() if (value := resolved(each, given)) is not _NOTHING}


_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "Fn::And": all,
    "Fn::Equals": lambda values: values[0] == values[1],
    "Fn::Join": lambda values: values[0].join(values[1]),
    "Fn::Not": lambda values: not values[0],
    "Fn::Or": any,
    "Fn::Select": lambda values: values[1][int(values[0])],
    "Fn::Split": lambda values: values[1].split(values[0]),
}


def _substituted(argument: Any, given: Given) -> str:
    text, names = (argument, {}) if isinstance(argument, str) else argument
    return re.sub(r"\$\{([^!}]+)\}", lambda found: str(names.get(found[1]) or _value(found[1], given, found[0])), text)


def _value(name: str, given: Given, otherwise: Any) -> Any:
    if name == "AWS::NoValue":
        return _NOTHING
    parameter = TEMPLATE["Parameters"].get(name, {})
    value = given.get(name, GIVEN.get(name, parameter.get("Default", otherwise)))
    return value.split(",") if parameter.get("Type") == "CommaDelimitedList" else value
