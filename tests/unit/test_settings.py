"""The settings of a function: `zim.settings`."""

import pytest

from zim.settings import Settings, SettingsError

VALID = {
    "ZIM_SECRET_ID": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:zim-AbCdEf",
    "ZIM_API_BASE_URL": "https://zim-api.zego.im",
    "CALLS_PER_SECOND": "10",
    "OTHER_CALLS_PER_SECOND": "10",
    "ZIM_CALLS_PER_SECOND_LIMIT": "20",
    "RESERVED_CONCURRENCY": "5",
}
REGION = {"AWS_REGION": "eu-central-1"}
NUMBERS = ["CALLS_PER_SECOND", "OTHER_CALLS_PER_SECOND", "ZIM_CALLS_PER_SECOND_LIMIT", "RESERVED_CONCURRENCY"]


def settings(**changes: str) -> Settings:
    return Settings.from_environment({**VALID, **REGION, **changes})


def test_settings_come_from_the_environment() -> None:
    assert settings(UNRELATED="x") == Settings(VALID["ZIM_SECRET_ID"], "https://zim-api.zego.im", 10, 5)


@pytest.mark.parametrize("name", VALID)
def test_the_error_names_a_missing_variable(name: str) -> None:
    with pytest.raises(SettingsError, match=rf"\b{name}\b"):
        Settings.from_environment({**REGION, **{key: value for key, value in VALID.items() if key != name}})


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "value",
    ["", "0", "00", "-1", "+1", "1.5", "ten", "1e3", "1_0", " 1", "1 ", "1\n", "٣", "\uff11", "1000000000", "9" * 5000],
)
def test_a_number_is_rejected_unless_it_is_whole_positive_and_at_most_nine_digits(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=rf"\b{name}\b"):
        settings(**{name: value})


@pytest.mark.parametrize(
    ("value", "number"), [("1", 1), ("19", 19), ("100", 100), ("007", 7), ("0" * 20 + "1", 1), ("999999999", 999999999)]
)
def test_a_number_can_have_leading_zeros_and_up_to_nine_digits(value: str, number: int) -> None:
    assert settings(RESERVED_CONCURRENCY=value).reserved_concurrency == number


@pytest.mark.parametrize("secret_id", ["zim", "prod/zim", VALID["ZIM_SECRET_ID"]])
def test_a_secret_id_is_a_name_or_an_arn(secret_id: str) -> None:
    assert settings(ZIM_SECRET_ID=secret_id).secret_id == secret_id


@pytest.mark.parametrize("secret_id", ["", " ", "my secret", " zim", "zim\n"])
def test_a_secret_id_has_no_whitespace(secret_id: str) -> None:
    with pytest.raises(SettingsError, match="ZIM_SECRET_ID"):
        settings(ZIM_SECRET_ID=secret_id)


@pytest.mark.parametrize(
    "secret_id",
    ["arn:", "arn:x", "arn:aws:secretsmanager"]
    + [VALID["ZIM_SECRET_ID"].replace("eu-central-1", region) for region in ("us-east-1", "eu-central-2")],
)
def test_an_arn_without_the_region_of_the_function_is_rejected(secret_id: str) -> None:
    with pytest.raises(
        SettingsError, match="ZIM_SECRET_ID must be a secret in the region of this function, eu-central-1"
    ):
        settings(ZIM_SECRET_ID=secret_id)


@pytest.mark.parametrize(
    ("url", "base_url"),
    [
        ("https://zim-api.zego.im", "https://zim-api.zego.im"),
        ("https://zim-api.zego.im/", "https://zim-api.zego.im"),
        ("https://zim-api-sha.zego.im", "https://zim-api-sha.zego.im"),
        ("http://127.0.0.1:8600", "http://127.0.0.1:8600"),
        ("http://127.0.0.1:8600/", "http://127.0.0.1:8600"),
        ("https://127.0.0.1", "https://127.0.0.1"),
        ("https://localhost:65535", "https://localhost:65535"),
        ("http://localhost:1", "http://localhost:1"),
    ],
)
def test_the_hosts_of_zim_and_loopback_addresses_are_allowed(url: str, base_url: str) -> None:
    assert settings(ZIM_API_BASE_URL=url).api_base_url == base_url


@pytest.mark.parametrize(
    "url",
    [
        "http://zim-api.zego.im",
        "https://zim-api.zego.im//",
        "https://zim-api.zego.im:443",
        "https://zim-api.zego.im/path",
        "https://zim-api.zego.im?x=y",
        "https://zim-api.zego.im\n",
        " https://zim-api.zego.im",
        "xhttps://zim-api.zego.im",
        "https://zim-apiXzego.im",
        "https://zim-api.zegoXim",
        "https://zim-api-.zego.im",
        "https://zim-api-xyz.zego.im",
        "https://zim-api-shahkg.zego.im",
        "https://zim-api-sha-hkg.zego.im",
        "https://zim-api.zego.im.evil.example",
        "https://evil.example/zim-api.zego.im",
        "https://user@zim-api.zego.im",
        "https://zim-api.zego.im@evil.example",
        "http://127.0.0.1.evil.example",
        "http://127x0.0.1",
        "http://127.0x0.1",
        "http://127.0.0x1",
        "http://127.0.0.1:",
        "http://127.0.0.1:port",
        "http://127.0.0.1:123456",
        "http://127.0.0.1:٣",
        "http://127.0.0.1//",
        "http://10.0.0.1",
        "http://169.254.169.254",
        "httpss://localhost",
        "ftp://localhost",
        "localhost",
    ],
)
def test_no_other_host_is_called(url: str) -> None:
    with pytest.raises(SettingsError, match="ZIM_API_BASE_URL"):
        settings(ZIM_API_BASE_URL=url)


def test_shares_that_exceed_the_limit_of_zim_are_rejected_and_the_error_names_what_to_change() -> None:
    assert settings(CALLS_PER_SECOND="11", OTHER_CALLS_PER_SECOND="9").calls_per_second == 11
    assert settings(CALLS_PER_SECOND="11", ZIM_CALLS_PER_SECOND_LIMIT="21").calls_per_second == 11
    with pytest.raises(SettingsError) as raised:
        settings(CALLS_PER_SECOND="11")
    for name in ("CALLS_PER_SECOND (11)", "OTHER_CALLS_PER_SECOND (10)", "ZIM_CALLS_PER_SECOND_LIMIT (20)"):
        assert name in str(raised.value)
    for parameter in ("ApiCallsPerSecond", "QueueCallsPerSecond", "ZimCallsPerSecondLimit"):
        assert parameter in str(raised.value)
