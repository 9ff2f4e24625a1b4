"""The settings of a function: `zim.settings`."""

import pytest

from zim.settings import Settings, SettingsError

GOOD = {
    "ZIM_SECRET_ID": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:zim-AbCdEf",
    "ZIM_API_BASE_URL": "https://zim-api.zego.im",
    "CALLS_PER_SECOND": "10",
    "OTHER_CALLS_PER_SECOND": "10",
    "ZIM_CALLS_PER_SECOND_LIMIT": "20",
    "RESERVED_CONCURRENCY": "5",
}


def test_the_settings_are_read_from_the_environment() -> None:
    settings = Settings.from_environment({**GOOD, "UNRELATED": "x"})
    assert settings == Settings(GOOD["ZIM_SECRET_ID"], "https://zim-api.zego.im", 10, 5)


@pytest.mark.parametrize("name", GOOD)
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=f"^The environment variable {name} must be "):
        Settings.from_environment({key: value for key, value in GOOD.items() if key != name})


@pytest.mark.parametrize(
    "name", ["CALLS_PER_SECOND", "OTHER_CALLS_PER_SECOND", "ZIM_CALLS_PER_SECOND_LIMIT", "RESERVED_CONCURRENCY"]
)
@pytest.mark.parametrize("value", ["", "0", "00", "-1", "1.5", "ten", "1e3", " 1", "1\n", "٣"])
def test_a_limit_must_be_a_whole_number_from_1_up(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^The environment variable {name} must be a whole number from 1 up"):
        Settings.from_environment({**GOOD, name: value})


@pytest.mark.parametrize(
    "url",
    [
        "https://zim-api.zego.im",
        "https://zim-api.zego.im/",
        *(f"https://zim-api-{region}.zego.im" for region in ("sha", "hkg", "fra", "lax", "bom", "sgp")),
        "http://127.0.0.1:8600",
        "https://localhost:8643",
        "http://localhost",
    ],
)
def test_the_vendors_hosts_and_loopback_may_be_called(url: str) -> None:
    assert Settings.from_environment({**GOOD, "ZIM_API_BASE_URL": url}).api_base_url == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://zim-api.zego.im",
        "https://zim-api-xyz.zego.im",
        "https://zim-api.zego.im.evil.example",
        "https://evil.example/zim-api.zego.im",
        "https://user@zim-api.zego.im",
        "https://zim-api.zego.im@evil.example",
        "https://zim-api.zego.im/path",
        "https://zim-api.zego.im?x=y",
        "https://zim-apiXzego.im",
        "http://169.254.169.254",
        "http://127.0.0.1.evil.example",
        "http://10.0.0.1",
        "https://zim-api.zego.im\n",
        "ftp://localhost",
    ],
)
def test_no_other_host_is_ever_called(url: str) -> None:
    with pytest.raises(SettingsError, match="ZIM_API_BASE_URL"):
        Settings.from_environment({**GOOD, "ZIM_API_BASE_URL": url})


def test_shares_that_are_together_more_than_zim_allows_are_refused_with_what_to_change() -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({**GOOD, "CALLS_PER_SECOND": "11"})
    said = str(refused.value)
    assert "CALLS_PER_SECOND 11 and OTHER_CALLS_PER_SECOND 10" in said
    assert "ApiCallsPerSecond or QueueCallsPerSecond" in said
    granted = {**GOOD, "CALLS_PER_SECOND": "11", "ZIM_CALLS_PER_SECOND_LIMIT": "21"}
    assert Settings.from_environment(granted).calls_per_second == 11
