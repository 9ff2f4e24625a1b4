"""MiniStack, started with what it lacks for `template.yaml` to be deployed to it unmodified.

It runs in MiniStack's own virtual environment. What is mended after a deploy is in `emulator_gaps.py`.
"""

import sys

from ministack.app import main
from ministack.services.cloudformation import provisioners

# A template with a type that it does not know is refused. Saved queries are for a console that it does not have either.
provisioners._RESOURCE_HANDLERS["AWS::Logs::QueryDefinition"] = {  # noqa: SLF001 - there is no other way in
    "create": lambda logical_id, _properties, stack_name: (f"{stack_name}-{logical_id}", {}),
    "update": lambda physical_id, _before, _after, _stack_name: (physical_id, {}),
    "delete": lambda _physical_id, _properties: None,
}

if __name__ == "__main__":
    sys.exit(main())
