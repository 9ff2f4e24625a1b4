"""MiniStack, started with what it lacks for `template.yaml`, deployed unmodified, to run as on AWS.

It runs in MiniStack's own virtual environment. What is mended after a deploy is in `emulator_gaps.py`.
"""

# ruff: noqa: SLF001 - there is no other way in

import sys
from typing import Any

from ministack.app import main
from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

# A template with a type that it does not know is refused. Saved queries are for a console that it does not have either.
provisioners._RESOURCE_HANDLERS["AWS::Logs::QueryDefinition"] = {
    "create": lambda logical_id, _properties, stack_name: (f"{stack_name}-{logical_id}", {}),
    "update": lambda physical_id, _before, _after, _stack_name: (physical_id, {}),
    "delete": lambda _physical_id, _properties: None,
}

_reserved_for_a_record = lambda_svc._reserved_concurrency


def _reserved_concurrency(_: Any, config: dict[str, Any]) -> Any:
    """Return what is reserved for the whole function: it looks for that at the version, and finds none."""
    return _reserved_for_a_record(lambda_svc._functions.get(config["FunctionName"]), config)


lambda_svc._reserved_concurrency = _reserved_concurrency

if __name__ == "__main__":
    sys.exit(main())
