"""Remove the resources that the Serverless Application Repository does not support from a packaged template.

Run `python -m local.publishable packaged.yaml` between `sam package` and `sam publish`.
"""

import sys
from pathlib import Path

import yaml

NOT_PUBLISHED = {"AWS::Logs::QueryDefinition"}
"""See https://docs.aws.amazon.com/serverlessrepo/latest/devguide/list-supported-resources.html."""


def main() -> None:
    """Rewrite the file. It is plain YAML, because `sam package` writes intrinsic functions in their long form."""
    file = Path(sys.argv[1])
    template = yaml.safe_load(file.read_text())
    resources = template["Resources"].items()
    template["Resources"] = {name: each for name, each in resources if each["Type"] not in NOT_PUBLISHED}
    file.write_text(yaml.safe_dump(template, sort_keys=False))


if __name__ == "__main__":
    main()
