"""`docs/clients.md` and the code it shows, held against the outcomes and against each language's grammar."""

import json
import re
from pathlib import Path

import pytest
import tree_sitter_dart
import tree_sitter_kotlin
import tree_sitter_swift
import yaml
from tree_sitter import Language, Node, Parser

from zim import outcome
from zim.outcome import TOO_OLD, Kind, Queued

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "clients.md").read_text()
CODE = sorted((DOCS / "clients").iterdir())
CALL_REJECT = [path for path in CODE if path.name != "service_worker.mjs"]
GRAMMARS = {".dart": tree_sitter_dart, ".kt": tree_sitter_kotlin, ".swift": tree_sitter_swift}
KINDS = [kind for kind in vars(outcome).values() if isinstance(kind, Kind) and kind != TOO_OLD]


def todo(kind: Kind) -> str:
    if kind.is_success() or kind.queued is Queued.DONE:
        return "done"
    return "try again" if kind.retryable else "stop"


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_the_page_says_what_to_do_on_each_outcome(kind: Kind) -> None:
    [row] = [line for line in PAGE.splitlines() if line.startswith("|") and f"`{kind.name}`" in line]
    answer, _, what_to_do = (cell.strip() for cell in row.strip("|").split("|"))
    assert answer == (f"{kind.status}, `Retry-After`" if kind.retry_after else str(kind.status))
    assert what_to_do.startswith(todo(kind))


def test_the_page_knows_every_status_that_is_described() -> None:
    described = yaml.safe_load((DOCS.parent / "openapi.yaml").read_text())["paths"].values()
    rows = [line for line in PAGE.splitlines() if re.match(r"\| (\d{3}|`\{)", line)]
    assert {status for path in described for status in path["post"]["responses"]} == {
        status for row in rows for status in re.findall(r"\b\d{3}\b", row)
    }


def test_the_page_links_to_each_file_of_code() -> None:
    assert set(re.findall(r"\(clients/([^)]+)\)", PAGE)) == {path.name for path in CODE}


@pytest.mark.parametrize("path", CALL_REJECT, ids=[path.name for path in CALL_REJECT])
def test_each_language_has_the_pages_rule(path: Path) -> None:
    """What the JavaScript does is run in tests/e2e; here, that the others have the same numbers and names."""
    code = path.read_text()
    for part in (r"200, 202, 409", r"429 \|\| \S+ >= 500", r"retryable", r"(?i)retry-after", r"\(pause \* 2, 30\)"):
        assert re.search(part, code), part


@pytest.mark.parametrize("path", [path for path in CALL_REJECT if path.suffix in GRAMMARS], ids=lambda path: path.name)
def test_each_language_sends_the_extended_data_of_the_page(path: Path) -> None:
    [shown] = re.findall(r"^\{.*\}$", PAGE, re.MULTILINE)
    assert json.loads(shown)["reason"] == "decline"
    assert shown in path.read_text()


@pytest.mark.parametrize("path", [path for path in CODE if path.suffix in GRAMMARS], ids=lambda path: path.name)
def test_the_code_that_is_not_run_is_of_its_languages_grammar(path: Path) -> None:
    def faults(node: Node) -> list[str]:
        here = [f"line {node.start_point.row + 1}"] if node.is_error or node.is_missing else []
        return here + [fault for child in node.children for fault in faults(child)]

    parser = Parser(Language(GRAMMARS[path.suffix].language()))
    assert faults(parser.parse(path.read_bytes()).root_node) == []
