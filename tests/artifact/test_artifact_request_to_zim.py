"""What leaves for ZIM: right to the byte, whatever the members hold, signed, and over one connection."""

import hashlib
import re
import string
import time
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.zim_simulator.running import SimulatorClient
from local.zim_simulator.zim import APP_ID, SERVER_SECRET
from tests.artifact.runtime import REQUEST, Function

ALLOWED = string.digits + string.ascii_letters + "!#$%&()+-:;<=.>?@[]^_{}|~ "
"""In FromUserId: as ZIM's documentation of CallReject lists them."""

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=512)

one_zim_for_all_examples = settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.mark.parametrize("user", [ALLOWED[at : at + 32] for at in range(0, len(ALLOWED), 32)])
def test_every_character_allowed_in_a_user_id_arrives_as_it_was_sent(
    user: str, zim: SimulatorClient, function: Function
) -> None:
    call_id = zim.ring(user)
    assert function.reject(FromUserId=user, CallId=call_id).status == 200
    assert zim.requests()[0].parameters["FromUserId"] == user


@pytest.mark.parametrize("character", "+%&#?;= ~")
def test_a_character_with_a_meaning_in_urls_arrives_as_it_was_sent(
    character: str, zim: SimulatorClient, function: Function
) -> None:
    given = {"FromUserId": f"{character}u{character}41{character}", "ExtendedData": character, "CallId": character}
    zim.ring(given["FromUserId"], call_id=character)
    assert function.reject(**given).status == 200
    (record,) = zim.requests()
    assert given.items() <= record.parameters.items()
    assert f"&CallId={quote(character, safe='')}&" in record.query


def test_a_space_leaves_as_20_and_never_as_a_plus(zim: SimulatorClient, function: Function) -> None:
    call_id = zim.ring("a b+c")
    assert function.reject(FromUserId="a b+c", CallId=call_id, ExtendedData="d e+f").status == 200
    query = zim.requests()[0].query
    assert "FromUserId=a%20b%2Bc&" in query
    assert query.endswith("ExtendedData=d%20e%2Bf")
    assert "+" not in query


def test_the_query_has_every_parameter_once_and_no_other(ringing: SimulatorClient, function: Function) -> None:
    assert function.reject().status == 200
    (record,) = ringing.requests()
    names = [pair.partition("=")[0] for pair in record.query.split("&")]
    common = {"Action", "AppId", "SignatureNonce", "Timestamp", "SignatureVersion", "Signature"}
    assert sorted(names) == sorted({*common, *REQUEST})
    assert record.method == "GET"
    assert record.parameters["Action"] == "CallReject"
    assert record.parameters["AppId"] == str(APP_ID)
    assert record.parameters["SignatureVersion"] == "2.0"


def test_the_signature_is_md5_of_app_id_nonce_secret_and_time(ringing: SimulatorClient, function: Function) -> None:
    assert function.reject().status == 200
    (record,) = ringing.requests()
    sent = record.parameters
    signed = sent["AppId"] + sent["SignatureNonce"] + SERVER_SECRET + sent["Timestamp"]
    assert sent["Signature"] == hashlib.md5(signed.encode(), usedforsecurity=False).hexdigest()
    assert abs(time.time() - int(sent["Timestamp"])) < 60


@one_zim_for_all_examples
@given(TEXT.filter(lambda text: len(text.encode()) <= 2048))
def test_extended_data_of_any_characters_arrives_as_it_was_sent(
    zim: SimulatorClient, function: Function, text: str
) -> None:
    call_id = zim.ring(REQUEST["FromUserId"])
    assert function.reject(CallId=call_id, ExtendedData=text).status == 200
    assert zim.call(call_id).extended_data == {REQUEST["FromUserId"]: text}


@one_zim_for_all_examples
@given(TEXT.map(lambda text: text[:32]).filter(bool))
def test_a_call_id_of_any_characters_arrives_as_it_was_sent(
    zim: SimulatorClient, function: Function, call_id: str
) -> None:
    zim.clear_requests()
    assert function.reject(CallId=call_id).status in {404, 422}
    assert zim.requests()[0].parameters["CallId"] == call_id


def test_two_hundred_requests_have_two_hundred_nonces_and_one_connection(
    ringing: SimulatorClient, function: Function
) -> None:
    statuses = {function.reject().status for _ in range(200)}
    records = ringing.requests()
    nonces = {record.parameters["SignatureNonce"] for record in records}
    assert statuses == {200, 409}
    assert len(nonces) == len(records) == 200
    assert all(re.fullmatch("[0-9a-f]{16}", nonce) for nonce in nonces)
    assert len({record.connection for record in records}) == 1
