"""Take out of a packaged template what the Serverless Application Repository does not publish.

python -m local.publishable packaged.yaml, after `sam package`, before `sam publish`.
"""

import sys
from pathlib import Path

import yaml

NOT_PUBLISHED = {"AWS::Logs::QueryDefinition"}
"""Not among its types (AWS's developer guide, "List of Supported AWS Resources"); the runbook has the queries' text."""


def main() -> None:
    """Rewrite the file; `sam package` writes intrinsic functions in their long forms, so it is plain YAML."""
    file = Path(sys.argv[1])
    template = yaml.safe_load(file.read_text())
    resources = template["Resources"].items()
    template["Resources"] = {name: each for name, each in resources if each["Type"] not in NOT_PUBLISHED}
    file.write_text(yaml.safe_dump(template, sort_keys=False))


if __name__ == "__main__":
    main()
