"""AppId and ServerSecret: `zim.credentials`, against moto's Secrets Manager."""

import json
import time
from collections.abc import Iterator

import pytest
from botocore.config import Config
from botocore.stub import Stubber
from moto import mock_aws
from mypy_boto3_secretsmanager import SecretsManagerClient

from zim import aws
from zim.credentials import MAX_AGE, Credentials, CredentialsStore
from zim.outcome import SECRET_UNREADABLE, Failed

SECRET = "a-made-up-secret-of-32-characters"[:32]
GOOD = {"AppId": 1234567890, "ServerSecret": SECRET}


@pytest.fixture
def client() -> Iterator[SecretsManagerClient]:
    with mock_aws():
        yield aws.client("secretsmanager")


def created(client: SecretsManagerClient, secret: object = None) -> CredentialsStore:
    client.create_secret(Name="zim", SecretString=secret if isinstance(secret, str) else json.dumps(secret or GOOD))
    return CredentialsStore("zim", client)


def failure(store: CredentialsStore) -> Failed:
    with pytest.raises(Failed) as caught:
        store.get()
    assert caught.value.kind is SECRET_UNREADABLE
    assert SECRET not in f"{caught.value}{caught.value.detail}{caught.value.cause}"
    return caught.value


def test_the_secret_holds_app_id_and_server_secret(client: SecretsManagerClient) -> None:
    assert created(client).get() == Credentials(1234567890, SECRET)


@pytest.mark.parametrize("app_id", ["1234567890", 1, 4294967295, "4294967295", "0000000001"])
def test_an_app_id_may_be_text_that_is_a_number(client: SecretsManagerClient, app_id: object) -> None:
    assert created(client, {**GOOD, "AppId": app_id}).get().app_id == int(str(app_id))


def test_a_binary_secret_is_read_too(client: SecretsManagerClient) -> None:
    client.create_secret(Name="zim", SecretBinary=json.dumps(GOOD).encode())
    assert CredentialsStore("zim", client).get() == Credentials(1234567890, SECRET)


def test_within_five_minutes_the_secret_is_not_read_again(
    client: SecretsManagerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = created(client)
    store.get()
    client.put_secret_value(SecretId="zim", SecretString=json.dumps({**GOOD, "AppId": 2}))
    start = time.time()
    monkeypatch.setattr(time, "time", lambda: start + MAX_AGE - 1)
    assert store.get().app_id == 1234567890
    monkeypatch.setattr(time, "time", lambda: start + MAX_AGE + 1)
    assert store.get().app_id == 2


def test_asked_anew_the_secret_is_read_past_the_cache(client: SecretsManagerClient) -> None:
    store = created(client)
    store.get()
    client.put_secret_value(SecretId="zim", SecretString=json.dumps({**GOOD, "AppId": 2}))
    assert store.get(anew=True).app_id == 2
    assert store.get().app_id == 2


@pytest.mark.parametrize(
    ("secret", "cause"),
    [
        (f"AppId=1;{SECRET}", "the secret is not JSON"),
        ("[1]", "the secret is not a JSON object"),
        (json.dumps({"ServerSecret": SECRET}), "AppId in the secret is missing or not a number from 1 to 4294967295"),
        *(
            (
                json.dumps({**GOOD, "AppId": app_id}),
                "AppId in the secret is missing or not a number from 1 to 4294967295",
            )
            for app_id in (0, -1, 4294967296, True, 1.0, None, "", "abc", "٣", "1 ", "9" * 5000)
        ),
        *(
            (json.dumps({"AppId": 1, **secret}), "ServerSecret in the secret is missing or not 32 characters of ASCII")
            for secret in ({}, {"ServerSecret": SECRET[:31]}, {"ServerSecret": f"{SECRET}x"}, {"ServerSecret": 7})
        ),
    ],
)
def test_a_malformed_secret_is_told_and_read_again_as_soon_as_it_is_mended(
    client: SecretsManagerClient, secret: str, cause: str
) -> None:
    store = created(client, secret)
    assert failure(store).cause == cause
    client.put_secret_value(SecretId="zim", SecretString=json.dumps(GOOD))
    assert store.get() == Credentials(1234567890, SECRET)


def test_a_secret_that_is_missing_is_told_and_found_as_soon_as_it_is_there(client: SecretsManagerClient) -> None:
    store = CredentialsStore("zim", client)
    assert "ResourceNotFoundException" in failure(store).cause
    created(client)
    assert store.get() == Credentials(1234567890, SECRET)


@pytest.mark.parametrize("code", ["AccessDeniedException", "DecryptionFailure", "ThrottlingException"])
def test_a_refusal_of_secrets_managers_is_told_by_its_name(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zim.aws.Config", lambda **_: Config(retries={"total_max_attempts": 1}))  # no backoff
    client = aws.client("secretsmanager")
    with Stubber(client) as stub:
        stub.add_client_error("get_secret_value", code, "Not now.")
        stub.add_response("get_secret_value", {"SecretString": json.dumps(GOOD)})
        store = CredentialsStore("zim", client)
        failed = failure(store)
        assert failed.cause.startswith("the secret cannot be read: ")
        assert code in failed.cause
        assert code not in failed.detail
        assert store.get() == Credentials(1234567890, SECRET)


def test_credentials_do_not_show_the_secret() -> None:
    assert SECRET not in repr(Credentials(1, SECRET))
