"""Print the template after the SAM transform, for tools that do not know SAM: python -m tests.support.expanded."""

import json
import os

os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from tests.unit.template import TEMPLATE, expand


def main() -> None:
    """Print JSON, with all optional resources."""
    sections = ("AWSTemplateFormatVersion", "Description", "Parameters", "Rules", "Conditions")
    resources = expand({"GradualDeployment": "true"})
    print(json.dumps({**{name: TEMPLATE[name] for name in sections}, "Resources": resources}, indent=1))


if __name__ == "__main__":
    main()
