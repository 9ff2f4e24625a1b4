"""The secret: read once, read anew when ZIM refuses the signature, and whatever is wrong with it said in the log."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from local.zim_simulator.running import SimulatorClient
from local.zim_simulator.zim import APP_ID, SERVER_SECRET
from tests.artifact.runtime import LOUD, Function, Start
from tests.artifact.secrets_manager import CREDENTIALS, HANG, SecretsManager

NAME = "changing"


@dataclass
class Changing:
    """A function whose secret changes, in Secrets Manager or at ZIM."""

    function: Function
    zim: SimulatorClient
    service: SecretsManager
    unspeakable: list[str]

    def rotate_at_zim(self) -> dict[str, Any]:
        """Let ZIM know another secret from now on, and return what Secrets Manager should hold then."""
        self.unspeakable.append(self.zim.rotate())
        return {"AppId": APP_ID, "ServerSecret": self.unspeakable[-1]}

    def put(self, secret: Any) -> None:
        self.service.failure = None
        self.service.put(NAME, secret)


@pytest.fixture(scope="module")
def function_with_a_secret_of_its_own(start: Start) -> Iterator[Function]:
    with start(ZIM_SECRET_ID=NAME, **LOUD) as running:
        yield running


@pytest.fixture
def changing(
    function_with_a_secret_of_its_own: Function,
    ringing: SimulatorClient,
    secrets_manager: SecretsManager,
    unspeakable: list[str],
) -> Iterator[Changing]:
    yield Changing(function_with_a_secret_of_its_own, ringing, secrets_manager, unspeakable)
    secrets_manager.work()


@pytest.fixture
def cached(changing: Changing) -> Changing:
    """A function that has read its secret, and rejected a call with it."""
    changing.put(CREDENTIALS)
    changing.function.reject()
    assert changing.function.line()["outcome"] == "Rejected"
    changing.zim.clear_requests()
    changing.service.readings = 0
    return changing


def missing(changing: Changing) -> None:
    changing.put(CREDENTIALS)
    changing.service.delete(NAME, at_once=True)


def deleted(changing: Changing) -> None:
    changing.put(CREDENTIALS)
    changing.service.delete(NAME)


def failing(failure: str) -> Callable[[Changing], None]:
    def fail(changing: Changing) -> None:
        changing.put(CREDENTIALS)
        changing.service.failure = failure

    return fail


def holding(secret: Any) -> Callable[[Changing], None]:
    return lambda changing: changing.put(secret)


def without(member: str) -> dict[str, Any]:
    return {name: value for name, value in CREDENTIALS.items() if name != member}


NO_APP_IDS = {
    "missing": None,
    "text": "AppId",
    "decimal text": "1.5",
    "negative text": "-1",
    "bool": True,
    "0": 0,
    "negative": -1,
    "fraction": 1.5,
    "2^32": 2**32,
}
NO_SERVER_SECRETS = {
    "missing": None,
    "too short": SERVER_SECRET[1:],
    "too long": SERVER_SECRET + "!",
    "a number": 10**31,
}
CAUSES: dict[str, tuple[Callable[[Changing], None], str]] = {
    "missing": (missing, "ResourceNotFoundException"),
    "deleted": (deleted, "InvalidRequestException"),
    "access denied": (failing("AccessDeniedException"), "AccessDeniedException"),
    "throttled": (failing("ThrottlingException"), "ThrottlingException"),
    "hanging": (failing(HANG), "timeout"),
    "empty": (holding(" "), "the secret is not JSON"),
    "not JSON": (holding(f"ServerSecret={SERVER_SECRET}"), "the secret is not JSON"),
    "an array": (holding([APP_ID, SERVER_SECRET]), "the secret is not a JSON object"),
    "text": (holding(f'"{SERVER_SECRET}"'), "the secret is not a JSON object"),
    **{f"AppId {what}": (holding({**CREDENTIALS, "AppId": app_id}), "AppId") for what, app_id in NO_APP_IDS.items()},
    **{
        f"ServerSecret {what}": (holding({**CREDENTIALS, "ServerSecret": secret}), "ServerSecret")
        for what, secret in NO_SERVER_SECRETS.items()
    },
    "no AppId": (holding(without("AppId")), "AppId"),
    "no ServerSecret": (holding(without("ServerSecret")), "ServerSecret"),
}


@pytest.mark.parametrize(("spoil", "words"), CAUSES.values(), ids=CAUSES)
def test_a_secret_that_cannot_be_used_is_told_and_read_again_as_soon_as_it_is_mended(
    spoil: Callable[[Changing], None], words: str, changing: Changing
) -> None:
    right = changing.rotate_at_zim()  # whatever was cached is wrong now, and read anew
    spoil(changing)
    response = changing.function.reject()
    assert response.status == 500
    assert response.headers == {"Content-Type": "application/problem+json"}
    assert response.members["type"] == "urn:problem-type:call-reject:SecretUnreadable"
    assert response.members["retryable"] is False
    line = changing.function.line()
    assert line["level"] == "ERROR"
    assert words in line["message"]
    changing.put(right)
    assert changing.function.reject().status == 200


def test_a_secret_that_cannot_be_read_at_first_costs_no_call(
    ringing: SimulatorClient, secrets_manager: SecretsManager, start: Start
) -> None:
    with start(ZIM_SECRET_ID="not-yet-there", **LOUD) as function:
        assert function.reject().status == 500
        assert function.reject().status == 500
        assert ringing.requests() == []
        secrets_manager.put("not-yet-there", CREDENTIALS)
        assert function.reject().status == 200


@pytest.mark.parametrize(
    "secret",
    [
        "[" * 60_000,
        {**CREDENTIALS, "ServerSecret": "\ud800" * 32},
    ],
    ids=["deep", "surrogates"],
)
def test_no_secret_breaks_the_function(
    secret: Any, ringing: SimulatorClient, secrets_manager: SecretsManager, start: Start
) -> None:
    secrets_manager.put("odd", secret)
    with start(ZIM_SECRET_ID="odd", **LOUD) as function:
        assert function.reject().status == 500
        assert ringing.requests() == []
        secrets_manager.put("odd", CREDENTIALS)
        assert function.reject().status == 200


def test_a_refusal_is_not_asked_for_again_and_a_throttled_reading_once(cached: Changing) -> None:
    for failure, readings in (("AccessDeniedException", 1), ("ThrottlingException", 2)):
        cached.rotate_at_zim()
        cached.service.readings = 0
        cached.service.failure = failure
        assert cached.function.reject().status == 500
        assert cached.service.readings == readings


def test_an_app_id_that_is_text_is_accepted(changing: Changing) -> None:
    changing.put({**changing.rotate_at_zim(), "AppId": str(APP_ID)})
    assert changing.function.reject().status == 200
    assert changing.zim.requests()[-1].parameters["AppId"] == str(APP_ID)


def test_the_secret_is_not_read_again_for_the_next_requests(cached: Changing) -> None:
    for _ in range(5):
        assert cached.function.reject().status == 409
    assert cached.service.readings == 0
    assert len(cached.zim.requests()) == 5


def test_a_rotated_secret_is_read_anew_and_the_call_made_once_more(cached: Changing) -> None:
    cached.put(cached.rotate_at_zim())
    call_id = cached.zim.ring("user0")
    assert cached.function.reject(CallId=call_id).status == 200
    assert cached.function.line()["attempts"] == 2
    assert [record.code for record in cached.zim.requests()] == [100000005, 0]
    assert cached.service.readings == 1
    assert cached.function.reject(CallId=call_id).status == 409
    assert (cached.service.readings, len(cached.zim.requests())) == (1, 3)


def test_a_wrong_secret_that_was_not_rotated_is_told_after_one_request(cached: Changing) -> None:
    cached.rotate_at_zim()
    response = cached.function.reject()
    assert response.status == 502
    assert response.members["type"] == "urn:problem-type:call-reject:ZimRefusesUs"
    assert (response.members["Code"], response.members["retryable"]) == (100000005, False)
    assert len(cached.zim.requests()) == 1
    assert cached.service.readings == 1


def test_a_rotated_secret_that_is_wrong_too_is_told_after_two_requests(cached: Changing) -> None:
    cached.rotate_at_zim()
    cached.put({**CREDENTIALS, "ServerSecret": "another-made-up-and-wrong-secret"})
    cached.unspeakable.append("another-made-up-and-wrong-secret")
    response = cached.function.reject()
    assert (response.status, response.members["Code"]) == (502, 100000005)
    assert [record.code for record in cached.zim.requests()] == [100000005, 100000005]
