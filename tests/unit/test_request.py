"""What may be asked: `zim.request`."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zim.outcome import INVALID_REQUEST, Failed
from zim.request import CallRejectRequest, decoded, from_members

ALLOWED = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()+-:;<=.>?@[]^_{}|~ "
VALID = {"FromUserId": "user0", "CallId": "call-1"}


def refused(members: Any) -> Failed:
    with pytest.raises(Failed) as caught:
        from_members(members)
    assert caught.value.kind is INVALID_REQUEST
    return caught.value


def test_a_request_has_the_three_members() -> None:
    text = json.dumps({**VALID, "ExtendedData": "é"}, ensure_ascii=False)
    expected = CallRejectRequest("user0", "call-1", "é")
    assert from_members(decoded(text)) == from_members(decoded(text.encode())) == expected


def test_extended_data_may_be_left_out_or_empty() -> None:
    assert from_members(VALID).extended_data is None
    assert from_members({**VALID, "ExtendedData": ""}).extended_data == ""


@pytest.mark.parametrize("character", ALLOWED)
def test_every_character_of_the_vendors_list_may_be_in_a_user_id(character: str) -> None:
    assert from_members({**VALID, "FromUserId": character}).from_user_id == character


@given(st.characters().filter(lambda character: character not in ALLOWED))
def test_no_other_character_may_be_in_a_user_id(character: str) -> None:
    failed = refused({**VALID, "FromUserId": f"user{character}"})
    assert failed.named == {"member": "FromUserId", "rule": "pattern"}


@pytest.mark.parametrize(
    "members",
    [
        {**VALID, "FromUserId": "u" * 32},
        {**VALID, "CallId": "c" * 32},
        {**VALID, "CallId": "\U0001f4de" * 32},
        {**VALID, "ExtendedData": "x" * 2048},
        {**VALID, "ExtendedData": "€" * 682 + "xx"},
    ],
)
def test_exactly_at_a_limit_a_request_passes(members: dict[str, str]) -> None:
    assert from_members(members)


@pytest.mark.parametrize(
    ("members", "member", "rule"),
    [
        ([], "body", "type"),
        ("text", "body", "type"),
        (7, "body", "type"),
        (None, "body", "type"),
        ({"FromUserId": "user0"}, "CallId", "required"),
        ({"CallId": "call-1"}, "FromUserId", "required"),
        ({}, "FromUserId", "required"),
        ({**VALID, "fromUserId": "user0"}, "fromUserId", "additionalProperties"),
        ({**VALID, "FromUserId": 7}, "FromUserId", "type"),
        ({**VALID, "CallId": None}, "CallId", "type"),
        ({**VALID, "ExtendedData": {"reason": "busy"}}, "ExtendedData", "type"),
        ({**VALID, "FromUserId": ""}, "FromUserId", "minLength"),
        ({**VALID, "CallId": ""}, "CallId", "minLength"),
        ({**VALID, "FromUserId": "u" * 33}, "FromUserId", "maxLength"),
        ({**VALID, "CallId": "c" * 33}, "CallId", "maxLength"),
        ({**VALID, "ExtendedData": "x" * 2049}, "ExtendedData", "maxLength"),
        ({**VALID, "ExtendedData": "€" * 700}, "ExtendedData", "maxBytes"),
        ({**VALID, "CallId": "call\0"}, "CallId", "pattern"),
        ({**VALID, "CallId": "call\ud800"}, "CallId", "pattern"),
        ({**VALID, "ExtendedData": "\0"}, "ExtendedData", "pattern"),
        ({**VALID, "ExtendedData": "\udfff"}, "ExtendedData", "pattern"),
    ],
)
def test_a_refusal_names_the_member_and_the_rule(members: Any, member: str, rule: str) -> None:
    failed = refused(members)
    assert failed.named == {"member": member, "rule": rule}
    assert failed.detail.startswith(f"{member} breaks the rule {rule}. Expected: ")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (None, "required"),
        ("", "required"),
        (b"", "required"),
        ("no JSON", "json"),
        (b"\xff", "json"),
        ("[" * 200_000, "json"),
        ("1" * 5_000, "json"),
    ],
)
def test_a_body_that_is_not_json_is_refused(text: str | bytes | None, rule: str) -> None:
    with pytest.raises(Failed) as caught:
        decoded(text)
    assert caught.value.named == {"member": "body", "rule": rule}


@given(st.text(min_size=4).filter(lambda text: text not in "{}[],:\"' callid"))
def test_no_value_of_a_bad_request_gets_into_the_words_for_the_log(value: str) -> None:
    members = {"FromUserId": f"{value}'", "CallId": "", "ExtendedData": value, value: value}
    assert value not in refused(members).cause
    members.pop(value)
    assert value not in refused(members).cause


def test_extended_data_is_not_in_the_representation_of_a_request() -> None:
    assert "planted" not in repr(from_members({**VALID, "ExtendedData": "planted"}))
