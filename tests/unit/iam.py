"""IAM's actions and resource types, as cfn-lint ships them.

See https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html.
"""

import fnmatch
import json
from importlib import resources
from typing import Any

_SPECIFICATION: dict[str, Any] = json.loads(
    resources.files("cfnlint.data.AdditionalSpecs").joinpath("Policies.json").read_text()
)
ACTIONS: dict[str, dict[str, list[str]]] = {
    service: {name: action.get("Resources", []) for name, action in each["Actions"].items()}
    for service, each in _SPECIFICATION.items()
}
"""The resource types of each action, by service and lower-case name. An empty list means that only `*` is possible."""

ARN_FORMATS: dict[str, dict[str, list[str]]] = {
    service: {name.lower(): kind["ARNFormats"] for name, kind in each["Resources"].items()}
    for service, each in _SPECIFICATION.items()
}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def actions(pattern: str) -> set[str]:
    """Return the actions that a pattern in a policy matches."""
    service, _, name = pattern.lower().partition(":")
    return {f"{service}:{each}" for each in ACTIONS.get(service, {}) if fnmatch.fnmatchcase(each, name)}
