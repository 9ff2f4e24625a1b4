"""`make vendor-facts`: the comparison with an OpenAPI file in the vendor's structure."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from local.processes import LocalError
from local.vendor_facts import FACTS, changes, main

PUBLIC = ("AppId", "SignatureNonce", "Timestamp", "SignatureVersion", "Signature")


def parameter(name: str, *, required: bool = True, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "schema": {"type": "string", **schema}}


@pytest.fixture
def document() -> dict[str, Any]:
    """A document that states the checked-in facts."""
    symbols = ", ".join(f"'{symbol}'" for symbol in FACTS["from_user_id_symbols"]).replace("'<'", "'\\<'")
    rows = "".join(f"<tr>\n<td>{code}</td>\n<td>text</td>\n</tr>\n" for code in FACTS["call_reject_codes"])
    operation = {
        "description": f"FromUserId: \\{{{symbols}\\}}.\n\n<Note> {FACTS['calls_per_second']} times/s</Note>",
        "parameters": [
            parameter("Action", enum=["CallReject"]),
            *({"$ref": f"../shared-components.yaml#/components/parameters/{name}"} for name in PUBLIC),
            parameter("FromUserId", maxLength=32),
            parameter("CallId", maxLength=32),
            parameter("ExtendedData", required=False, maxLength=2048),
        ],
    }
    response = {"properties": {"Code": {"description": f"<table>{rows}</table>"}}}
    return {
        "openapi": "3.0.0",
        "servers": {"$ref": "../shared-components.yaml#/servers"},
        "paths": {"/": {"get": operation}},
        "components": {"schemas": {"CallRejectResponse": response}},
    }


def write(folder: Path, document: Any) -> Path:
    file = folder / "call-invitation" / "reject.yaml"
    file.parent.mkdir()
    file.write_text(yaml.safe_dump(document))
    return file


def test_a_file_with_the_same_facts_has_no_changes(
    tmp_path: Path, document: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    main([str(write(tmp_path, document))])
    assert capsys.readouterr().out == f"No changes since {FACTS['date']}.\n"


def test_every_change_is_named(tmp_path: Path, document: dict[str, Any]) -> None:
    operation = document["paths"]["/"]["get"]
    operation["description"] = operation["description"].replace("20 times/s", "30 times/s").replace("'~'", "'*'")
    operation["parameters"][6]["schema"]["maxLength"] = 64
    del operation["parameters"][7]["schema"]["maxLength"]
    operation["parameters"][8]["required"] = True
    operation["parameters"].append(parameter("IsTest", required=False))
    code = document["components"]["schemas"]["CallRejectResponse"]["properties"]["Code"]
    code["description"] = code["description"].replace("660900008", "660900009")
    shared: dict[str, Any] = {
        "servers": [{"url": f"https://{host}"} for host in [*FACTS["hosts"][1:], "zim-api-syd.zego.im"]],
        "components": {"parameters": {name: parameter(name) for name in PUBLIC}},
    }
    shared["components"]["parameters"]["Signature"]["required"] = False
    (tmp_path / "shared-components.yaml").write_text(yaml.safe_dump(shared))
    assert sorted(changes(write(tmp_path, document))) == [
        "call_reject_codes: 660900008 is no longer documented",
        "call_reject_codes: 660900009 is new",
        "calls_per_second: 20 is now 30",
        "from_user_id_symbols: * is new",
        "from_user_id_symbols: ~ is no longer documented",
        "hosts: zim-api-syd.zego.im is new",
        "hosts: zim-api.zego.im is no longer documented",
        "parameters.CallId.max_length: 32 is now None",
        "parameters.ExtendedData.required: False is now True",
        "parameters.FromUserId.max_length: 32 is now 64",
        "parameters.Signature.required: True is now False",
        "parameters: IsTest is new",
    ]


@pytest.mark.parametrize("document", [{}, [], {"paths": {}}])
def test_another_file_is_an_error(tmp_path: Path, document: Any) -> None:
    with pytest.raises(LocalError):
        changes(write(tmp_path, document))


def test_a_file_is_required() -> None:
    with pytest.raises(LocalError, match="FILE"):
        main(["no-such-file.yaml"])
