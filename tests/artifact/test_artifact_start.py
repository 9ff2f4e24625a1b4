"""A function with an invalid setting does not start. All settings are tested in tests/unit/test_settings.py."""

from local.zim_simulator.running import SimulatorClient
from tests.artifact.conftest import StartFunction
from tests.artifact.runtime import REQUEST


def test_an_invalid_setting_is_named_in_the_error_and_in_the_log(zim: SimulatorClient, start: StartFunction) -> None:
    with start(CALLS_PER_SECOND="0") as function:
        result = function.invoke(REQUEST)
        assert result["errorType"] == "SettingsError"
        assert "CALLS_PER_SECOND" in result["errorMessage"]
        assert result["errorMessage"] in function.output()
    assert zim.requests() == []
