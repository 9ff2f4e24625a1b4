"""Requests that are refused without asking ZIM, each with the member and the rule that it breaks, and where that ends.

A body stands in the tables as text where its JSON matters, else as the members that differ from the sample's.
"""

import json
from typing import Any

import pytest

from local.zim_simulator.running import SimulatorClient
from tests.artifact.runtime import REQUEST, Function, Response

DEEP = 100_000
BAD_BODIES: list[tuple[str, str | bytes | None, str, str]] = [
    ("no body", None, "body", "required"),
    ("empty", "", "body", "required"),
    ("empty base64", b"", "body", "required"),
    ("not JSON", "{FromUserId: user0}", "body", "json"),
    ("cut short", '{"FromUserId": "user0", "CallId": "ca', "body", "json"),
    ("a form", "FromUserId=user0&CallId=call", "body", "json"),
    ("not UTF-8", b'{"FromUserId": "\xff", "CallId": "call"}', "body", "json"),
    ("an array", '[{"FromUserId": "user0", "CallId": "call"}]', "body", "type"),
    ("a string", '"user0"', "body", "type"),
    ("a number", "1", "body", "type"),
    ("true", "true", "body", "type"),
    ("null", "null", "body", "type"),
    ("deep arrays", "[" * DEEP + "]" * DEEP, "body", "json"),
    ("deep objects", '{"a":' * DEEP + "1" + "}" * DEEP, "body", "json"),
    ("deep but readable", "[" * 400 + "]" * 400, "body", "type"),
    ("a number of 5000 digits", "1" * 5000, "body", "json"),
    ("such a number in a member", f'{{"FromUserId": {"1" * 5000}, "CallId": "call"}}', "body", "json"),
    ("a number beyond floats", '{"FromUserId": 1e400, "CallId": "call"}', "FromUserId", "type"),
    ("an unescaped surrogate", '{"FromUserId": "user0", "CallId": "\ud800"}', "CallId", "pattern"),
    ("deep in a member", f'{{"FromUserId": {"[" * 400}{"]" * 400}, "CallId": "call"}}', "FromUserId", "type"),
]
WRONG_TYPES: list[Any] = [1, 1.5, True, ["user0"], {"id": "user0"}]
BAD_MEMBERS: list[tuple[dict[str, Any], str, str]] = [
    ({"FromUserId": None}, "FromUserId", "required"),
    ({"CallId": None}, "CallId", "required"),
    ({"FromUserID": "user0"}, "FromUserID", "additionalProperties"),
    ({"Action": "CallReject"}, "Action", "additionalProperties"),
    ({"FromUserId": ""}, "FromUserId", "minLength"),
    ({"CallId": ""}, "CallId", "minLength"),
    ({"FromUserId": "u" * 33}, "FromUserId", "maxLength"),
    ({"CallId": "c" * 33}, "CallId", "maxLength"),
    ({"CallId": "\U0001f4de" * 33}, "CallId", "maxLength"),
    ({"ExtendedData": "d" * 2049}, "ExtendedData", "maxLength"),
    ({"ExtendedData": "€" * 700}, "ExtendedData", "maxBytes"),
    ({"ExtendedData": "d" * 2046 + "€"}, "ExtendedData", "maxBytes"),
    *((dict.fromkeys([name], value), name, "type") for name in REQUEST for value in WRONG_TYPES),
    *(({"FromUserId": f"user{character}0"}, "FromUserId", "pattern") for character in "'\"/\\,*ä\n\r\t\0\x7f€\ud800"),
    *(({"FromUserId": text}, "FromUserId", "pattern") for text in ("user0\n", "\nuser0", "ä" * 17)),
    *(
        ({name: f"text{character}"}, name, "pattern")
        for name in ("CallId", "ExtendedData")
        for character in "\0\ud800\udfff"
    ),
]


def assert_is_refused(response: Response, member: str, rule: str) -> None:
    assert response.status == 400
    assert response.headers == {"Content-Type": "application/problem+json"}
    members = response.members
    assert members.keys() == {"type", "title", "status", "detail", "retryable", "member", "rule"}
    assert (members["member"], members["rule"]) == (member, rule)
    assert members["type"] == "urn:problem-type:call-reject:InvalidRequest"
    assert members["status"] == 400
    assert members["retryable"] is False
    assert members["title"]
    assert member in members["detail"]


@pytest.mark.parametrize(
    ("body", "member", "rule"), [row[1:] for row in BAD_BODIES], ids=[row[0] for row in BAD_BODIES]
)
def test_a_body_that_is_no_request_is_refused_without_asking_zim(
    body: str | bytes | None, member: str, rule: str, zim: SimulatorClient, function: Function
) -> None:
    assert_is_refused(function.post(body), member, rule)
    assert zim.requests() == []


@pytest.mark.parametrize(("changes", "member", "rule"), BAD_MEMBERS, ids=[repr(row[0])[:40] for row in BAD_MEMBERS])
def test_a_member_that_breaks_a_rule_is_named_without_asking_zim(
    changes: dict[str, Any], member: str, rule: str, zim: SimulatorClient, function: Function
) -> None:
    assert_is_refused(function.reject(**changes), member, rule)
    assert zim.requests() == []


def test_a_backtick_in_from_user_id_is_refused_without_asking_zim(zim: SimulatorClient, function: Function) -> None:
    assert_is_refused(function.reject(FromUserId="user`0"), "FromUserId", "pattern")
    assert zim.requests() == []


@pytest.mark.parametrize("name", REQUEST)
def test_a_member_that_is_null_is_of_the_wrong_type(name: str, zim: SimulatorClient, function: Function) -> None:
    assert_is_refused(function.post(json.dumps({**REQUEST, name: None})), name, "type")
    assert zim.requests() == []


def test_a_refusal_does_not_repeat_what_was_sent(
    zim: SimulatorClient, function: Function, unspeakable: list[str]
) -> None:
    unspeakable.append("sent-by-somebody")
    for name in REQUEST:
        response = function.reject(**{name: "sent-by-somebody\0" * 200})
        assert "sent-by-somebody" not in json.dumps(response.members)
    assert zim.requests() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"FromUserId": "u" * 32},
        {"FromUserId": "u"},
        {"CallId": "c" * 32},
        {"CallId": "c"},
        {"CallId": "\U0001f4de" * 32},
        {"ExtendedData": "d" * 2048},
        {"ExtendedData": "€" * 682 + "dd"},
        {"ExtendedData": ""},
        {"ExtendedData": None},
    ],
    ids=lambda changes: repr(changes)[:40],
)
def test_a_member_exactly_at_its_limit_reaches_zim(
    changes: dict[str, Any], zim: SimulatorClient, function: Function
) -> None:
    asked = {**REQUEST, **changes}
    zim.ring(asked["FromUserId"], call_id=asked["CallId"])
    assert function.reject(**changes).status == 200
    sent = zim.requests()[0].parameters
    assert {name: sent.get(name) for name in REQUEST} == asked


def test_a_base64_body_is_decoded(ringing: SimulatorClient, function: Function) -> None:
    assert function.post(json.dumps({**REQUEST, "ExtendedData": "€"}, ensure_ascii=False).encode()).status == 200
    assert ringing.call(REQUEST["CallId"]).extended_data == {REQUEST["FromUserId"]: "€"}
