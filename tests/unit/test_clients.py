"""The code in `docs/clients`. `tests/e2e` runs the JavaScript; the other languages are only parsed."""

from pathlib import Path

import pytest
import tree_sitter_dart
import tree_sitter_kotlin
import tree_sitter_swift
from tree_sitter import Language, Node, Parser

from tests.support.paths import DOCS

GRAMMARS = {".dart": tree_sitter_dart, ".kt": tree_sitter_kotlin, ".swift": tree_sitter_swift}


@pytest.mark.parametrize(
    "path",
    [path for path in sorted((DOCS / "clients").iterdir()) if path.suffix in GRAMMARS],
    ids=lambda path: path.name,
)
def test_client_code_has_no_syntax_errors(path: Path) -> None:
    def errors(node: Node) -> list[str]:
        line = [f"line {node.start_point.row + 1}"] if node.is_error or node.is_missing else []
        return line + [error for child in node.children for error in errors(child)]

    parser = Parser(Language(GRAMMARS[path.suffix].language()))
    assert errors(parser.parse(path.read_bytes()).root_node) == []
