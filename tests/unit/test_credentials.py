"""AppId and ServerSecret: `zim.credentials`, with moto's Secrets Manager."""

import json
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws
from mypy_boto3_secretsmanager import SecretsManagerClient

from tests.unit.doubles import Clock
from zim import aws, credentials
from zim.credentials import Credentials, CredentialsStore
from zim.errors import SecretUnavailable

SERVER_SECRET = "a-made-up-secret-of-32-characters"[:32]
VALID = {"AppId": 1234567890, "ServerSecret": SERVER_SECRET}


@pytest.fixture
def client() -> Iterator[SecretsManagerClient]:
    with mock_aws():
        yield aws.client("secretsmanager")


@pytest.fixture
def reads(client: SecretsManagerClient) -> list[dict[str, Any]]:
    """The parameters of each GetSecretValue."""
    reads: list[dict[str, Any]] = []
    client.meta.events.register(
        "provide-client-params.secretsmanager.GetSecretValue", lambda params, **_: reads.append(params)
    )
    return reads


def create_store(client: SecretsManagerClient, secret: object = None) -> CredentialsStore:
    client.create_secret(Name="zim", SecretString=secret if isinstance(secret, str) else json.dumps(secret or VALID))
    return CredentialsStore("zim", client)


def update(client: SecretsManagerClient, secret: object) -> None:
    client.put_secret_value(SecretId="zim", SecretString=secret if isinstance(secret, str) else json.dumps(secret))


def failure(store: CredentialsStore, *, force_refresh: bool = False) -> SecretUnavailable:
    with pytest.raises(SecretUnavailable) as raised:
        store.get(force_refresh=force_refresh)
    error = raised.value
    assert SERVER_SECRET not in f"{error.detail}{error.cause}"
    assert "During handling" not in "".join(traceback.format_exception(error))  # other errors can quote the secret
    return error


def test_a_secret_contains_app_id_and_server_secret(client: SecretsManagerClient) -> None:
    assert create_store(client).get() == Credentials(1234567890, SERVER_SECRET)


@pytest.mark.parametrize(
    ("app_id", "number"),
    [("1234567890", 1234567890), (1, 1), (4294967295, 4294967295), ("4294967295", 4294967295), ("0000000001", 1)],
)
def test_an_app_id_is_a_number_or_text_in_digits(client: SecretsManagerClient, app_id: object, number: int) -> None:
    assert create_store(client, {**VALID, "AppId": app_id}).get().app_id == number


def test_a_server_secret_can_contain_punctuation(client: SecretsManagerClient) -> None:
    punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
    assert create_store(client, {**VALID, "ServerSecret": punctuation}).get().server_secret == punctuation


def test_a_secret_can_be_binary(client: SecretsManagerClient) -> None:
    client.create_secret(Name="zim", SecretBinary=json.dumps(VALID).encode())
    assert CredentialsStore("zim", client).get() == Credentials(1234567890, SERVER_SECRET)


def test_a_secret_is_read_once_in_five_minutes(
    client: SecretsManagerClient, clock: Clock, reads: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "time", clock)
    store = create_store(client)
    for seconds in (0, 0, 150, 149.5):
        clock.now += seconds
        assert store.get().app_id == 1234567890
    assert reads == [{"SecretId": "zim"}]
    update(client, {**VALID, "AppId": 2})
    clock.now += 0.5
    assert store.get().app_id == 2
    clock.now += 299.5
    assert store.get().app_id == 2
    assert len(reads) == 2


def test_a_forced_refresh_reads_the_secret_and_caches_it(
    client: SecretsManagerClient, reads: list[dict[str, Any]]
) -> None:
    store = create_store(client)
    store.get()
    update(client, {**VALID, "AppId": 2})
    assert store.get(force_refresh=True).app_id == 2
    assert store.get().app_id == 2
    assert len(reads) == 2


def test_credentials_are_read_again_after_a_failed_refresh(client: SecretsManagerClient) -> None:
    store = create_store(client)
    store.get()
    update(client, "not JSON")
    failure(store, force_refresh=True)
    failure(store)
    update(client, VALID)
    assert store.get() == Credentials(1234567890, SERVER_SECRET)


@pytest.mark.parametrize(
    ("secret", "cause"),
    [
        (f"AppId=1;{SERVER_SECRET}", "not JSON"),
        ("[" * 60_000, "not JSON"),
        (f'["{SERVER_SECRET}"]', "not a JSON object"),
        (json.dumps({"ServerSecret": SERVER_SECRET}), "AppId in the secret"),
        *(
            (json.dumps({**VALID, "AppId": app_id}), "AppId in the secret")
            for app_id in (0, -1, 4294967296, True, 1.0, None, "", "0", "4294967296", "abc", "٣", "1 ", "9" * 5000)
        ),
        ('{"AppId": 1}', "ServerSecret in the secret"),
        *(
            (json.dumps({**VALID, "ServerSecret": server_secret}), "ServerSecret in the secret")
            for server_secret in (7, None, "", "x" * 31, "x" * 33, " " + "x" * 31, "x" * 31 + "\n", "é" * 32)
        ),
    ],
)
def test_a_malformed_secret_is_unavailable_until_it_is_corrected(
    client: SecretsManagerClient, secret: str, cause: str
) -> None:
    store = create_store(client, secret)
    error = failure(store)
    assert cause in error.cause
    assert cause not in error.detail
    update(client, VALID)
    assert store.get() == Credentials(1234567890, SERVER_SECRET)


def test_a_binary_secret_that_is_not_text_is_unavailable(client: SecretsManagerClient) -> None:
    client.create_secret(Name="zim", SecretBinary=b"\xff\xfe\xfd")
    assert "not JSON" in failure(CredentialsStore("zim", client)).cause


def test_a_missing_secret_is_unavailable_until_it_is_created(client: SecretsManagerClient) -> None:
    store = CredentialsStore("zim", client)
    assert "ResourceNotFoundException" in failure(store).cause
    create_store(client)
    assert store.get() == Credentials(1234567890, SERVER_SECRET)


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetSecretValue"), "AccessDeniedException"),
        (ClientError({"Error": {"Code": "DecryptionFailure"}}, "GetSecretValue"), "DecryptionFailure"),
        (EndpointConnectionError(endpoint_url="https://made-up.example"), "https://made-up.example"),
    ],
)
def test_an_error_of_secrets_manager_is_logged_but_not_returned(
    client: SecretsManagerClient, error: Exception, name: str
) -> None:
    def fail(**_: object) -> None:
        raise error

    store = create_store(client)
    client.meta.events.register("before-call.secretsmanager.GetSecretValue", fail)
    raised = failure(store)
    assert name in raised.cause
    assert name not in raised.detail
    client.meta.events.unregister("before-call.secretsmanager.GetSecretValue", fail)
    assert store.get() == Credentials(1234567890, SERVER_SECRET)


def test_the_representation_of_credentials_does_not_contain_the_server_secret() -> None:
    assert SERVER_SECRET not in repr(Credentials(1, SERVER_SECRET))
