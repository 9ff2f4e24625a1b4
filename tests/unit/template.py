"""Reads `template.yaml`, expands it like the SAM transform, and resolves intrinsic functions like CloudFormation."""

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import yaml
from samtranslator.translator.managed_policy_translator import ManagedPolicyLoader
from samtranslator.translator.transform import transform

from tests.support.paths import TEMPLATE as TEMPLATE_PATH

type Resources = dict[str, dict[str, Any]]
type ParameterValues = Mapping[str, str]
"""Parameter values as strings. Missing ones default to `PARAMETER_VALUES`, then to the template's default."""

SECRETS = "arn:aws:secretsmanager:us-east-1:123456789012:secret:"
PARAMETER_VALUES = {
    "ZimSecretArn": f"{SECRETS}zim-AbCdEf",
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackName": "stack",
}
_NO_VALUE = object()


class _Loader(yaml.SafeLoader):
    """Expands CloudFormation's short forms, such as `!Ref`."""


def _short_form(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _short_form)
TEMPLATE: dict[str, Any] = yaml.load(TEMPLATE_PATH.read_text(), _Loader)  # noqa: S506 - a SafeLoader
RESOURCES: Resources = TEMPLATE["Resources"]


def expand(
    values: ParameterValues = PARAMETER_VALUES,
    *,
    artifacts: Mapping[str, str] = PARAMETER_VALUES,
    template: Any = TEMPLATE,
) -> Resources:
    """Return the resources that SAM creates from the template. `artifacts` maps logical ids to keys in S3."""
    packaged = copy.deepcopy(template)
    for name, resource in packaged["Resources"].items():
        for uri in {"CodeUri", "ContentUri"} & resource["Properties"].keys():
            resource["Properties"][uri] = f"s3://bucket/{artifacts.get(name, name)}"
    parameters = {name: value for name, value in values.items() if name in TEMPLATE["Parameters"]}
    resources: Resources = transform(packaged, parameters, ManagedPolicyLoader(None))["Resources"]
    return resources


EXPANDED = expand()


def properties_by_type(resource_type: str, resources: Resources = RESOURCES) -> Resources:
    """Return the properties of all resources of a type, by logical id."""
    return {name: each["Properties"] for name, each in resources.items() if each["Type"] == resource_type}


def _references(part: Any) -> Iterator[str]:
    """Yield the logical ids that a part of the template refers to."""
    if isinstance(part, list):
        for each in part:
            yield from _references(each)
    elif isinstance(part, dict):
        for key, value in part.items():
            if key == "Ref":
                yield value
            elif key == "Fn::GetAtt":
                yield value[0] if isinstance(value, list) else value.split(".")[0]
            elif key == "Fn::Sub":
                yield from re.findall(r"\$\{(\w+)", str(value))
                yield from _references(value)
            else:
                yield from _references(value)


def dependencies(resources: Resources) -> dict[str, set[str]]:
    """Return the resources that CloudFormation creates or updates before each resource, and deletes after it."""
    return {
        name: {*_references(resource["Properties"]), *_depends_on(resource)} & resources.keys()
        for name, resource in resources.items()
    }


def _depends_on(resource: dict[str, Any]) -> list[str]:
    names = resource.get("DependsOn", [])
    return names if isinstance(names, list) else [names]


def rules_allow(values: ParameterValues) -> bool:
    """Return whether the template's rules allow these values."""
    assertions = [assertion for rule in TEMPLATE["Rules"].values() for assertion in rule["Assertions"]]
    return all(resolve(assertion["Assert"], values) for assertion in assertions)


def resolve(part: Any, values: ParameterValues = PARAMETER_VALUES) -> Any:  # noqa: PLR0911 - a return for each form
    """Resolve intrinsic functions in a part of the template. References to other resources stay unresolved."""
    if isinstance(part, list):
        return [value for value in (resolve(each, values) for each in part) if value is not _NO_VALUE]
    if not isinstance(part, dict):
        return part
    match list(part.items()):
        case [("Ref", name)]:
            return _value(name, values, part)
        case [("Fn::GetAtt", name)]:
            return _value(name if isinstance(name, str) else ".".join(name), values, part)
        case [("Condition", name)]:
            return resolve(TEMPLATE["Conditions"][name], values)
        case [("Fn::If", (name, if_true, if_false))]:
            return resolve(if_true if resolve({"Condition": name}, values) else if_false, values)
        case [("Fn::Sub", argument)]:
            return _substitute(resolve(argument, values), values)
        case [(name, argument)] if name in _FUNCTIONS:
            return _FUNCTIONS[name](resolve(argument, values))
    return {key: value for key, each in part.items() if (value := resolve(each, values)) is not _NO_VALUE}


_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "Fn::And": all,
    "Fn::Equals": lambda arguments: arguments[0] == arguments[1],
    "Fn::Join": lambda arguments: arguments[0].join(arguments[1]),
    "Fn::Not": lambda arguments: not arguments[0],
    "Fn::Or": any,
    "Fn::Select": lambda arguments: arguments[1][int(arguments[0])],
    "Fn::Split": lambda arguments: arguments[1].split(arguments[0]),
}


def _substitute(argument: Any, values: ParameterValues) -> str:
    text, variables = (argument, {}) if isinstance(argument, str) else argument
    return re.sub(
        r"\$\{([^!}]+)\}",
        lambda match: str(variables[match[1]] if match[1] in variables else _value(match[1], values, match[0])),
        text,
    )


def _value(name: str, values: ParameterValues, unresolved: Any) -> Any:
    if name == "AWS::NoValue":
        return _NO_VALUE
    parameter = TEMPLATE["Parameters"].get(name, {})
    value = values.get(name, PARAMETER_VALUES.get(name, parameter.get("Default", unresolved)))
    return value.split(",") if parameter.get("Type") == "CommaDelimitedList" else value
