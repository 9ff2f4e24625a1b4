"""A function with a setting that is wrong does not start, and says which; None is one that is missing."""

import pytest

from local.lambda_runtime import environment
from local.zim_simulator.running import SimulatorClient
from tests.artifact.runtime import REQUEST, Start, imported

NO_HOSTS_OF_ZIMS = [
    None,
    "https://example.com",
    "http://zim-api.zego.im",
    "https://zim-api.zego.im.evil.example",
    "https://zim-api.zego.im@evil.example",
    "https://zim-api-xyz.zego.im",
]
NO_NUMBERS_FROM_1_UP = [None, "0", "-1", "ten"]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ZIM_SECRET_ID", None),
        *(("ZIM_API_BASE_URL", value) for value in NO_HOSTS_OF_ZIMS),
        *(("CALLS_PER_SECOND", value) for value in NO_NUMBERS_FROM_1_UP),
        *(("RESERVED_CONCURRENCY", value) for value in NO_NUMBERS_FROM_1_UP),
        ("OTHER_CALLS_PER_SECOND", None),
        ("ZIM_CALLS_PER_SECOND_LIMIT", None),
    ],
)
def test_a_wrong_setting_is_named_in_a_sentence_at_start(variable: str, value: str | None) -> None:
    done = imported(environment(**{"ZIM_API_BASE_URL": "http://127.0.0.1", variable: value}))
    assert done.returncode == 1
    sentence = f"SettingsError: The environment variable {variable} must be "
    assert sentence in done.stderr.splitlines()[-1]


def test_shares_that_are_together_more_than_zim_allows_are_refused_at_start() -> None:
    shares = {"CALLS_PER_SECOND": "10", "OTHER_CALLS_PER_SECOND": "11", "ZIM_CALLS_PER_SECOND_LIMIT": "20"}
    done = imported(environment(ZIM_API_BASE_URL="http://127.0.0.1", **shares))
    assert done.returncode == 1
    sentence = done.stderr.splitlines()[-1]
    assert all(f"{variable} {value}" in sentence for variable, value in shares.items())


def test_an_operator_finds_the_sentence_in_the_answer_and_in_the_log(zim: SimulatorClient, start: Start) -> None:
    with start(CALLS_PER_SECOND="0") as function:
        answer = function.invoke(REQUEST)
        assert answer["errorType"] == "SettingsError"
        assert answer["errorMessage"].startswith("The environment variable CALLS_PER_SECOND must be ")
        assert answer["errorMessage"] in function.output()
    assert zim.requests() == []
