"""The request and its validation: `zim.request`."""

import json
import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zim.errors import InvalidRequest
from zim.request import LATEST_EXPIRY, CallRejectRequest, parse_json

ALLOWED_IN_USER_IDS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()+-:;<=.>?@[]^_{}|~ "
VALID = {"FromUserId": "user0", "CallId": "call-1"}


def rejection(members: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as raised:
        CallRejectRequest.from_dict(members)
    return raised.value


def test_a_request_is_read_from_json() -> None:
    text = json.dumps({**VALID, "ExtendedData": "é", "ExpiresAt": 1_800_000_000}, ensure_ascii=False)
    expected = CallRejectRequest("user0", "call-1", "é", 1_800_000_000)
    assert CallRejectRequest.from_dict(parse_json(text)) == expected
    assert CallRejectRequest.from_dict(parse_json(text.encode())) == expected


@pytest.mark.parametrize(
    "members",
    [
        VALID,
        {**VALID, "ExtendedData": ""},
        {**VALID, "ExtendedData": "text"},
        {**VALID, "ExpiresAt": 1},
        {**VALID, "ExtendedData": "text", "ExpiresAt": LATEST_EXPIRY},
    ],
)
def test_a_request_is_written_as_it_was_read(members: dict[str, Any]) -> None:
    request = CallRejectRequest.from_dict(members)
    assert request.extended_data == members.get("ExtendedData")
    assert request.expires_at == members.get("ExpiresAt")
    assert request.to_dict() == members


@pytest.mark.parametrize("reason", ["decline", "busy"])
def test_a_reason_becomes_the_extended_data_of_the_uikit(reason: str) -> None:
    request = CallRejectRequest.from_dict({**VALID, "Reason": reason})
    assert json.loads(request.extended_data or "") == {
        "invitation_id": "",
        "reason": reason,
        "custom_data": "",
        "v": "f1.0",
    }
    assert request.to_dict() == {**VALID, "ExtendedData": request.extended_data}
    assert CallRejectRequest.from_dict(request.to_dict()) == request


def test_a_whole_number_of_seconds_can_be_written_as_a_float() -> None:
    expires_at = CallRejectRequest.from_dict({**VALID, "ExpiresAt": 1.8e9}).to_dict()["ExpiresAt"]
    assert (expires_at, type(expires_at)) == (1_800_000_000, int)


@given(st.characters().filter(lambda character: character not in ALLOWED_IN_USER_IDS))
def test_a_user_id_contains_no_other_characters(character: str) -> None:
    for user_id in (character, f"user{character}", f"{character}user"):
        error = rejection({**VALID, "FromUserId": user_id})
        assert (error.member, error.rule) == ("FromUserId", "pattern")


@pytest.mark.parametrize(
    "members",
    [
        {**VALID, "FromUserId": "u"},
        {**VALID, "FromUserId": "u" * 32},
        {**VALID, "CallId": "c"},
        {**VALID, "CallId": "c" * 32},
        {**VALID, "CallId": "\U0001f4de" * 32},
        {**VALID, "CallId": "\x01\n\ud7ff\ue000\uffff"},
        {**VALID, "ExtendedData": "x" * 2048},
        {**VALID, "ExtendedData": "€" * 682 + "xx"},
        {**VALID, "ExtendedData": "\x01\n\ud7ff\ue000\uffff"},
    ],
)
def test_a_request_at_a_limit_is_valid(members: dict[str, str]) -> None:
    assert CallRejectRequest.from_dict(members).to_dict() == members


@pytest.mark.parametrize(
    ("members", "member", "rule"),
    [
        (["FromUserId", "CallId"], "body", "type"),
        ("text", "body", "type"),
        (None, "body", "type"),
        ({"CallId": "call-1"}, "FromUserId", "required"),
        ({"FromUserId": "user0"}, "CallId", "required"),
        ({**VALID, "fromUserId": "user0"}, "fromUserId", "additionalProperties"),
        ({"extra": 1, **VALID, "ExtendedData": "x"}, "extra", "additionalProperties"),
        ({**VALID, "FromUserId": 7}, "FromUserId", "type"),
        ({**VALID, "CallId": None}, "CallId", "type"),
        ({**VALID, "CallId": ["call-1"]}, "CallId", "type"),
        ({**VALID, "ExtendedData": None}, "ExtendedData", "type"),
        ({**VALID, "Reason": None}, "Reason", "type"),
        ({**VALID, "Reason": "offline"}, "Reason", "enum"),
        ({**VALID, "Reason": "decline", "ExtendedData": "text"}, "Reason", "exclusive"),
        ({**VALID, "Reason": "decline", "ExtendedData": ""}, "Reason", "exclusive"),
        ({**VALID, "ExpiresAt": None}, "ExpiresAt", "type"),
        ({**VALID, "ExpiresAt": "1800000000"}, "ExpiresAt", "type"),
        ({**VALID, "ExpiresAt": True}, "ExpiresAt", "type"),
        ({**VALID, "ExpiresAt": 1_800_000_000.5}, "ExpiresAt", "type"),
        ({**VALID, "ExpiresAt": float("inf")}, "ExpiresAt", "type"),
        ({**VALID, "ExpiresAt": float("nan")}, "ExpiresAt", "type"),
        ({**VALID, "ExpiresAt": 0}, "ExpiresAt", "minimum"),
        ({**VALID, "ExpiresAt": LATEST_EXPIRY + 1}, "ExpiresAt", "maximum"),
        ({**VALID, "ExpiresAt": 1_800_000_000_000}, "ExpiresAt", "maximum"),
        ({**VALID, "FromUserId": ""}, "FromUserId", "minLength"),
        ({**VALID, "CallId": ""}, "CallId", "minLength"),
        ({**VALID, "FromUserId": "u" * 33}, "FromUserId", "maxLength"),
        ({**VALID, "CallId": "c" * 33}, "CallId", "maxLength"),
        ({**VALID, "ExtendedData": "x" * 2049}, "ExtendedData", "maxLength"),
        ({**VALID, "ExtendedData": "€" * 683}, "ExtendedData", "maxBytes"),
        ({**VALID, "CallId": "call\0"}, "CallId", "pattern"),
        ({**VALID, "CallId": "call\ud800"}, "CallId", "pattern"),
        ({**VALID, "ExtendedData": "\0"}, "ExtendedData", "pattern"),
        ({**VALID, "ExtendedData": "\udfff"}, "ExtendedData", "pattern"),
    ],
)
def test_a_rejection_names_the_member_and_the_rule(members: Any, member: str, rule: str) -> None:
    error = rejection(members)
    assert (error.member, error.rule) == (member, rule)
    assert member in error.detail
    assert rule in error.detail


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({**VALID, "extra": ""}, "CallId, FromUserId unless a token identifies the user"),
        ({"CallId": "call-1"}, "1 to 32 bytes"),
        ({"FromUserId": "user0"}, "1 to 32 characters"),
        ({**VALID, "ExtendedData": "€" * 700}, "2048 bytes"),
        ({**VALID, "Reason": "offline"}, "decline or busy"),
        ({**VALID, "Reason": "busy", "ExtendedData": ""}, "instead of ExtendedData"),
        ({**VALID, "ExpiresAt": 1_800_000_000_000}, "Unix seconds"),
    ],
)
def test_a_rejection_says_what_is_expected_of_the_member(members: Any, expected: str) -> None:
    assert expected in rejection(members).detail.partition("Expected: ")[2]


def test_the_name_of_an_unknown_member_is_cut_after_64_characters_and_not_logged() -> None:
    longest = "n" * 64
    for name in (longest, f"{longest}n"):
        error = rejection({**VALID, name: ""})
        assert error.member == longest
        assert f"{longest}n" not in error.detail
        assert longest not in error.cause


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (None, "required"),
        ("", "required"),
        (b"", "required"),
        ("no JSON", "json"),
        (b"\xff", "json"),
        (json.dumps(VALID).encode("utf-16"), "json"),
        (json.dumps(VALID).encode("utf-32-le"), "json"),
        ("[" * 200_000, "json"),
        ("1" * 5_000, "json"),
        (7, "json"),
    ],
)
def test_a_body_that_is_not_json_in_utf_8_is_rejected(body: Any, rule: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        parse_json(body)
    assert (raised.value.member, raised.value.rule) == ("body", rule)
    assert "JSON object" in raised.value.detail
    assert "During handling" not in "".join(traceback.format_exception(raised.value))  # the parser quotes the body


# Texts that the words of a message happen to contain prove nothing.
values = st.text(min_size=4).filter(lambda text: text not in rejection({**VALID, "CallId": ""}).cause)


@given(values)
def test_no_value_of_an_invalid_request_is_logged(value: str) -> None:
    members = {"FromUserId": f"{value}'", "CallId": "", "ExtendedData": value}
    for invalid in (members, {**members, value: value}):
        error = rejection(invalid)
        assert value not in error.cause
        assert error.__suppress_context__


def test_the_representation_of_a_request_does_not_contain_extended_data() -> None:
    request = CallRejectRequest.from_dict({**VALID, "ExtendedData": "planted"})
    assert "call-1" in repr(request)
    assert "planted" not in repr(request)
