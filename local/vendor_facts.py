"""`make vendor-facts FILE=...`: compare tests/vendor_facts/zim.yaml with an OpenAPI file of the vendor.

Prints what changed. The file is the one of CallReject in https://github.com/ZEGOCLOUD/docs_all, which is named
reject-a-call-invitation.yaml. Its structure is OpenAPI 3: the parameters of its only operation, the rate limit and the
characters of FromUserId in the operation's description, and the return codes as a table in the description of the
response's `Code`. A reference to another file is followed if that file exists. If not, only the parameter's name is
known.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from local.paths import ROOT
from local.processes import LocalError, exit_on_error

FACTS_FILE = ROOT / "tests" / "vendor_facts" / "zim.yaml"
FACTS: dict[str, Any] = yaml.safe_load(FACTS_FILE.read_text())


class OpenApi:
    """An OpenAPI document, with the facts that it states."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._document = _load(file)
        paths = self._document.get("paths") or {}
        operations = [each for item in paths.values() for each in item.values() if "parameters" in each]
        if len(operations) != 1:
            raise LocalError(f"{file} has {len(operations)} operations with parameters. Expected: one.")
        self._operation = operations[0]
        self._description: str = self._operation.get("description", "")

    def facts(self) -> dict[str, Any]:
        """Return the facts that the document states, under the names of the checked-in file."""
        parameters = dict(self._parameters())
        (action,) = parameters["Action"].get("schema", {}).get("enum", [None])
        found = {
            "action": action,
            "calls_per_second": self._rate_limit(),
            "hosts": self._hosts(),
            "from_user_id_symbols": self._symbols(),
            "call_reject_codes": self._codes(),
            "parameters": set(parameters),
        }
        found = {name: value for name, value in found.items() if value}
        for name, parameter in parameters.items():
            if "required" in parameter:
                found[f"parameters.{name}.required"] = parameter["required"]
                found[f"parameters.{name}.max_length"] = parameter.get("schema", {}).get("maxLength")
        return found

    def _parameters(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for parameter in self._operation["parameters"]:
            resolved = self._resolve(parameter)
            yield resolved.get("name") or parameter["$ref"].rpartition("/")[2], resolved

    def _resolve(self, part: Any) -> Any:
        """Follow a reference, also into another file if that exists. Otherwise, return an empty object."""
        file = self._file
        while isinstance(part, dict) and "$ref" in part:
            path, _, pointer = part["$ref"].partition("#/")
            file = file.parent / path if path else file
            if not file.is_file():
                return {}
            part = _load(file)
            for step in pointer.split("/"):
                part = part[step]
        return part

    def _rate_limit(self) -> int | None:
        found = re.search(r"(\d+)\s*(?:times/s|times per second|次/秒)", self._description)
        return int(found[1]) if found else None

    def _hosts(self) -> set[str]:
        servers = self._resolve(self._document.get("servers")) or []
        urls = [server["url"] for server in servers]
        return {url.removeprefix("https://").strip("/") for url in urls if "//zim-api" in url}

    def _symbols(self) -> set[str]:
        return set(re.findall(r"'\\?(.)'", self._description))

    def _codes(self) -> set[int]:
        schemas = (self._document.get("components") or {}).get("schemas") or {}
        descriptions = [
            member["Code"].get("description", "")
            for schema in schemas.values()
            if "Code" in (member := schema.get("properties") or {})
        ]
        return {
            int(code)
            for text in descriptions
            for code in re.findall(r"(?:<td>|^\|)\s*(\d+)\s*(?:</td>|\|)", text, re.MULTILINE)
        }


def checked_in() -> dict[str, Any]:
    """Return the checked-in facts in the form of `OpenApi.facts`."""
    found = {name: FACTS[name] for name in ("action", "calls_per_second")}
    found |= {name: set(FACTS[name]) for name in ("hosts", "from_user_id_symbols", "call_reject_codes", "parameters")}
    for name, parameter in FACTS["parameters"].items():
        found[f"parameters.{name}.required"] = parameter["required"]
        found[f"parameters.{name}.max_length"] = parameter.get("max_length")
    return found


def changes(file: Path) -> list[str]:
    """Return one line for each fact that the file states and that differs from the checked-in one."""
    known = checked_in()
    lines = []
    for name, value in OpenApi(file).facts().items():
        old: Any = known.get(name)
        if isinstance(value, set):
            lines += [f"{name}: {each} is new" for each in sorted(value - old)]
            lines += [f"{name}: {each} is no longer documented" for each in sorted(old - value)]
        elif name in known and value != old:
            lines.append(f"{name}: {old} is now {value}")
    return lines


def main(arguments: list[str]) -> None:
    """Print the changes."""
    if len(arguments) != 1 or not Path(arguments[0]).is_file():
        raise LocalError("Set FILE to an OpenAPI file of the vendor, for example FILE=reject-a-call-invitation.yaml.")
    found = changes(Path(arguments[0]))
    print("\n".join(found) if found else f"No changes since {FACTS['date']}.")


def _load(file: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(file.read_text())
    except yaml.YAMLError as error:
        raise LocalError(f"{file} is not YAML: {error}") from None
    if not isinstance(document, dict):
        raise LocalError(f"{file} is not an OpenAPI document.")
    return document


if __name__ == "__main__":
    with exit_on_error("make vendor-facts"):
        main(sys.argv[1:])
