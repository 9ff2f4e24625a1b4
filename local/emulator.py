"""MiniStack with the patches that an unmodified `template.yaml` needs. Runs in MiniStack's virtual environment.

`emulator_gaps.py` makes the changes that are needed after a deploy.
"""

# ruff: noqa: SLF001 - MiniStack has no public API for this

import sys
from typing import Any

from ministack.app import main
from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

# MiniStack rejects a template with an unknown resource type. Saved queries need no implementation here.
provisioners._RESOURCE_HANDLERS["AWS::Logs::QueryDefinition"] = {
    "create": lambda logical_id, _properties, stack_name: (f"{stack_name}-{logical_id}", {}),
    "update": lambda physical_id, _before, _after, _stack_name: (physical_id, {}),
    "delete": lambda _physical_id, _properties: None,
}

_reserved_concurrency_of = lambda_svc._reserved_concurrency


def _reserved_concurrency(_: Any, config: dict[str, Any]) -> Any:
    """Look up the reserved concurrency of the function. MiniStack looks only at the version, which has none."""
    return _reserved_concurrency_of(lambda_svc._functions.get(config["FunctionName"]), config)


lambda_svc._reserved_concurrency = _reserved_concurrency

if __name__ == "__main__":
    sys.exit(main())
