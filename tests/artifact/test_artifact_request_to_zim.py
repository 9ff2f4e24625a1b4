"""The HTTP request to ZIM and its encoding. The simulator verifies every signature."""

import string
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.zim_simulator.running import SimulatorClient
from local.zim_simulator.zim import APP_ID
from tests.artifact.runtime import REQUEST, Function


def texts(alphabet: st.SearchStrategy[str], max_bytes: int) -> st.SearchStrategy[str]:
    """Return texts of one to 32 characters, up to a number of bytes."""
    return st.text(alphabet, min_size=1, max_size=32).filter(lambda text: len(text.encode()) <= max_bytes)


ANY_CHARACTER = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
USER_ID_CHARACTER = st.sampled_from(string.digits + string.ascii_letters + " !#$%&()+-:;<=.>?@[]^_{}|~")
"""See https://www.zegocloud.com/docs/zim-server/call-invitation/reject-a-call-invitation, "Request parameters"."""


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(texts(USER_ID_CHARACTER, 32), texts(ANY_CHARACTER, 128), texts(ANY_CHARACTER, 128))
def test_zim_receives_the_members_unchanged(
    zim: SimulatorClient, function: Function, user_id: str, call_id: str, extended_data: str
) -> None:
    zim.clear_requests()
    request = {"FromUserId": user_id, "CallId": call_id, "ExtendedData": extended_data}
    assert function.reject(**request).status in {404, 422}
    (record,) = zim.requests()
    assert request.items() <= record.parameters.items()
    assert f"&CallId={quote(call_id, safe='')}&" in record.query
    assert "+" not in record.query


def test_the_query_contains_each_parameter_once(ringing: SimulatorClient, function: Function) -> None:
    assert function.reject().status == 200
    (record,) = ringing.requests()
    names = [pair.partition("=")[0] for pair in record.query.split("&")]
    common = {"Action", "AppId", "SignatureNonce", "Timestamp", "SignatureVersion", "Signature"}
    assert sorted(names) == sorted({*common, *REQUEST})
    assert record.method == "GET"
    assert record.parameters["Action"] == "CallReject"
    assert record.parameters["AppId"] == str(APP_ID)
    assert record.parameters["SignatureVersion"] == "2.0"
