"""The function of examples/do-not-disturb, with moto in place of DynamoDB and Secrets Manager."""

import base64
import hashlib
import importlib
import itertools
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any
from urllib.parse import quote_plus

import boto3
import fastjsonschema
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws
from samtranslator.yaml_helper import yaml_parse

from tests.support.paths import ROOT
from tests.unit.doubles import Context, Log
from tests.unit.iam import as_list
from zim.request import LATEST_EXPIRY, USER_ID_SCHEMA

EXAMPLE = ROOT / "examples" / "do-not-disturb"
CALLBACK_SECRET = "a-callback-secret-of-the-project"  # noqa: S105 - made up
TABLES = {"settings": ("UserId", "Entry"), "callbacks": ("id",)}
UNTIL = int(time.time()) + 3600
SAMPLE = json.loads((EXAMPLE / "events" / "call_create.json").read_text())

nonces = itertools.count(100_000)
is_user_invited = fastjsonschema.compile(json.loads((EXAMPLE / "events" / "user_invited.schema.json").read_text()))


@dataclass
class EventBus:
    """Records events and validates them. `failing` is the number of the request that does not accept its last event."""

    events: list[dict[str, Any]] = field(default_factory=list)
    failing: int = 0

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, int]:  # noqa: N803 - as in boto3
        assert 1 <= len(Entries) <= 10
        self.failing -= 1
        failed = int(self.failing == 0)
        for entry in Entries[: len(Entries) - failed]:
            assert entry["EventBusName"] == "bus"
            event = {
                "source": entry["Source"],
                "detail-type": entry["DetailType"],
                "detail": json.loads(entry["Detail"]),
            }
            is_user_invited(event)
            self.events.append(event["detail"])
        return {"FailedEntryCount": failed}

    def availability(self) -> dict[str, str]:
        return {event["Callee"]: event["Availability"] for event in self.events}


@dataclass
class Example:
    """The function, its event bus, and ways to call it."""

    app: ModuleType
    bus: EventBus

    def request(
        self, method: str, path: str, body: str | None = None, *, authorizer: Any = None, **parameters: str
    ) -> tuple[int, dict[str, Any]]:
        """Send a request and return the status and the JSON of the response."""
        event = {
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": "",
            "headers": {},
            "queryStringParameters": parameters,
            "requestContext": {
                "requestId": "request-1",
                "stage": "$default",
                "http": {"method": method, "path": path},
                "authorizer": authorizer,
            },
            "body": base64.b64encode((body or "").encode()).decode(),
            "isBase64Encoded": True,
        }
        response = self.app.handler(event, Context(5000))
        return response["statusCode"], json.loads(response.get("body") or "{}")

    def send(self, callback: Any) -> int:
        """Send a callback and return the status of the response."""
        body = callback if isinstance(callback, str) else json.dumps(callback)
        return self.request("POST", "/callbacks/zim", body)[0]

    def user(self, method: str, user: str, path: str = "", body: str | None = None, **parameters: str) -> Any:
        """Send a request of a user, with IAM authorization."""
        return self.request(method, f"/do-not-disturb{path}", body, authorizer={"iam": {}}, UserId=user, **parameters)


@pytest.fixture(scope="module")
def module() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "CALLBACK_SECRET_ID": "callback",
            "CALLBACKS_TABLE": "callbacks",
            "SETTINGS_TABLE": "settings",
            "EVENT_BUS": "bus",
            "INVITATION_TIMEOUT_SECONDS": "60",
        }.items():
            patch.setenv(name, value)
        yield importlib.import_module("do_not_disturb.app")


@pytest.fixture
def example(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[Example]:
    bus = EventBus()
    monkeypatch.setattr(module.invitations, "events", bus)
    module.secrets.clear_cache()
    with mock_aws():
        boto3.client("secretsmanager").create_secret(
            Name="callback", SecretString=json.dumps({"CallbackSecret": CALLBACK_SECRET})
        )
        for name in TABLES:
            create_table(name)
        yield Example(module, bus)


def create_table(name: str) -> None:
    keys = TABLES[name]
    boto3.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        BillingMode="PAY_PER_REQUEST",
    )


def signed(callback: dict[str, Any], *, secret: str = CALLBACK_SECRET, age: int = 0) -> dict[str, Any]:
    """Return a callback with a new signature."""
    timestamp, nonce = int(time.time()) - age, str(next(nonces))
    text = "".join(sorted([secret, str(timestamp), nonce]))
    signature = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    return {**callback, "timestamp": timestamp, "nonce": nonce, "signature": signature}


def call_create(*callees: str, **members: Any) -> dict[str, Any]:
    """Return the sample callback with changes and a new signature."""
    return signed({**SAMPLE, "user_ids": callees or ("user0",), **members})


def call_invite(*callees: str) -> dict[str, Any]:
    return signed(
        {
            "event": "call_invite",
            "call_id": "call-1",
            "user_ids": callees,
            "inviter": "caller0",
            "invite_time": 1_795_251_570_999,
        }
    )


# What a callback says


def test_an_invitation_is_published_for_each_callee(example: Example) -> None:
    assert example.send(call_create("user0", "user1", "user0")) == 200
    assert example.bus.events == [
        {
            "CallId": "10432190475582964177",
            "Caller": "caller0",
            "Callee": callee,
            "InvitedAt": 1_795_251_570,
            "ExpiresAt": 1_795_251_660,
            "Availability": "Available",
        }
        for callee in ("user0", "user1")
    ]


def test_an_invitation_into_a_call_expires_after_the_default_timeout(example: Example) -> None:
    assert example.send(call_invite("user0")) == 200
    (event,) = example.bus.events
    assert (event["Caller"], event["InvitedAt"], event["ExpiresAt"]) == ("caller0", 1_795_251_570, 1_795_251_630)


def test_a_percent_encoded_body_is_decoded(example: Example) -> None:
    assert example.send(quote_plus(json.dumps(call_create("user + 0")))) == 200
    assert example.bus.availability() == {"user + 0": "Available"}


@pytest.mark.parametrize("event", ["call_create", "call_invite"])
def test_times_in_seconds_and_milliseconds_are_understood(example: Example, event: str) -> None:
    callback, member = (
        (call_create(), "create_time") if event == "call_create" else (call_invite("user0"), "invite_time")
    )
    for number, time_of_event in enumerate((1_795_251_570, 1_795_251_570_999)):
        assert example.send(signed({**callback, member: time_of_event, "call_id": f"call-{number}"})) == 200
    assert [each["InvitedAt"] for each in example.bus.events] == [1_795_251_570] * 2


def test_other_callbacks_are_accepted_and_ignored(example: Example) -> None:
    ignored = signed({"event": "call_accept", "call_id": "call-1"})
    assert (example.send(ignored), example.send(ignored)) == (200, 200)
    assert example.bus.events == []
    forged = {**call_create(), **{name: ignored[name] for name in ("timestamp", "nonce", "signature")}}
    assert example.send(forged) == 403
    assert example.bus.events == []


def test_more_than_a_hundred_callees_are_published(example: Example) -> None:
    callees = [f"user{number}" for number in range(101)]
    example.user("PUT", "user100", body=json.dumps({"Until": UNTIL}))
    assert example.send(call_create(*callees)) == 200
    assert example.bus.availability() == dict.fromkeys(callees, "Available") | {"user100": "DoNotDisturb"}


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not JSON",
        "[]",
        json.dumps({"event": "call_create"}),
        json.dumps(call_create() | {"timestamp": "1795251570"}),
        json.dumps(call_create(user_ids=[])),
        json.dumps(call_create(caller=None)),
        json.dumps(call_create() | {"nonce": "\ud800"}),
        json.dumps(call_create() | {"signature": "\ud800"}),
        '{"a":' * 100_000,
        # EventBridge inserts these into a JSON text without escaping them.
        *(json.dumps(call_create(call_id=f"call{character}1")) for character in ('"', "\\", "\n")),
        *(json.dumps(call_create(f"user{character}1")) for character in ('"', "\\", "\n")),
        json.dumps(call_create(call_id="c" * 33)),
        json.dumps(call_create("u" * 33)),
        json.dumps(call_create(caller='caller"')),
    ],
)
def test_a_malformed_callback_is_a_bad_request(example: Example, body: str, log: Log) -> None:
    assert example.send(body) == 400
    assert example.bus.events == []
    assert log.lines[-1]["outcome"] == "CallbackRejected"


def test_a_body_that_is_not_utf_8_is_a_bad_request(example: Example, monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
    monkeypatch.setattr(base64, "b64encode", lambda _: b"//4=")
    assert example.send("") == 400
    assert log.lines[-1]["message"] == "The body is not UTF-8."


# Forged, old, replayed and repeated callbacks


def test_a_forged_callback_is_forbidden(example: Example, log: Log) -> None:
    forged = signed(call_create(), secret="another-secret")
    assert example.send(forged) == 403
    assert example.send(call_create() | {"signature": "ü"}) == 403
    assert example.bus.events == []
    assert [line["message"] for line in log.lines] == ["The signature is wrong."] * 2
    assert not [line for line in log.lines if "call_id" in line]


@pytest.mark.parametrize("age", [301, -302])
def test_a_callback_with_an_old_or_future_timestamp_is_forbidden(example: Example, age: int) -> None:
    assert example.send(signed(call_create(), age=age)) == 403
    assert example.bus.events == []


def test_the_last_retry_of_zim_is_not_too_old(example: Example) -> None:
    assert example.send(signed(call_create(), age=62 + 30)) == 200


def test_a_captured_signature_does_not_sign_another_body(example: Example) -> None:
    captured = call_create("user0")
    assert example.send(captured) == 200
    for change in ({"call_id": "call-2"}, {"user_ids": ["user1"]}, {"caller": "caller1"}, {"timeout": 600}):
        assert example.send({**captured, **change}) == 403
    assert example.bus.availability() == {"user0": "Available"}


@pytest.mark.parametrize("repeat", [dict, signed], ids=["same signature", "new signature"])
def test_a_repeated_callback_succeeds_and_is_published_once(
    example: Example, repeat: Callable[[dict[str, Any]], dict[str, Any]], log: Log
) -> None:
    first = call_create()
    assert example.send(first) == 200
    assert example.send(repeat(first)) == 200
    assert len(example.bus.events) == 1
    assert [line["outcome"] for line in log.lines] == ["CallbackPublished", "CallbackRepeated"]


def test_a_second_invitation_to_the_same_call_is_published(example: Example) -> None:
    first = call_invite("user0")
    again = signed({**first, "invite_time": first["invite_time"] + 5000})
    assert (example.send(first), example.send(again)) == (200, 200)
    assert len(example.bus.events) == 2


def test_a_callback_that_is_being_processed_is_retried_later(example: Example) -> None:
    """Two deliveries at the same time: the second one must not succeed before the first has."""
    callback, statuses = call_create(), []
    put_events = example.bus.put_events

    def deliver_again(Entries: list[dict[str, Any]]) -> dict[str, int]:  # noqa: N803 - as in boto3
        statuses.append(example.send(callback))
        return put_events(Entries)

    example.bus.put_events = deliver_again  # type: ignore[method-assign]
    assert example.send(callback) == 200
    assert statuses == [503]
    assert len(example.bus.events) == 1


# Failures


@pytest.mark.parametrize("table", TABLES)
def test_nothing_is_published_while_a_table_is_unavailable(
    example: Example, table: str, log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    boto3.client("dynamodb").delete_table(TableName=table)
    callback = call_create()
    assert example.send(callback) == 503
    assert example.bus.events == []
    assert log.lines[-1]["level"] == "ERROR"
    assert log.lines[-1]["message"].startswith("nothing is rejected: ")
    assert json.loads(capsys.readouterr().out)["CallbackFailed"] == [1.0]
    create_table(table)
    assert example.send(callback) == 200
    assert len(example.bus.events) == 1


def test_settings_that_dynamodb_did_not_return_are_not_taken_as_available(
    example: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = {"Responses": {"settings": []}, "UnprocessedKeys": {"settings": {}}}
    monkeypatch.setattr(example.app.settings.dynamodb, "batch_get_item", lambda **_: busy)
    assert example.send(call_create()) == 503
    assert example.bus.events == []


def test_an_event_that_the_bus_does_not_accept_is_published_by_the_retry(example: Example) -> None:
    example.bus.failing = 2
    callees = [f"user{number}" for number in range(12)]
    callback = call_create(*callees)
    assert (example.send(callback), example.send(callback)) == (503, 200)
    assert [event["Callee"] for event in example.bus.events] == callees[:11] + callees


def test_an_unreachable_event_bus_is_a_failure(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    def put_events(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://events.us-east-1.amazonaws.com")

    monkeypatch.setattr(example.bus, "put_events", put_events)
    assert example.send(call_create()) == 503


@pytest.mark.parametrize("value", ["no JSON", "[]", "{}", '{"CallbackSecret": 1}', None])
def test_nothing_is_accepted_without_a_secret(example: Example, value: str | None) -> None:
    secrets = boto3.client("secretsmanager")
    if value is None:
        secrets.delete_secret(SecretId="callback")
    else:
        secrets.put_secret_value(SecretId="callback", SecretString=value)
    assert example.send(call_create()) == 503
    assert example.bus.events == []


def test_the_log_has_no_secret_signature_user_or_payload(example: Example, log: Log) -> None:
    callback = call_create("callee-in-callback", payload="payload-in-callback", caller="caller-in-callback")
    example.send(callback)
    example.send(callback | {"signature": "0" * 40})
    example.send(callback | {"user_ids": "callee-in-callback"})
    boto3.client("dynamodb").delete_table(TableName="settings")
    example.send(call_create("callee-in-callback", call_id="call-2"))
    assert len(log.lines) == 4
    assert not [text for text in (CALLBACK_SECRET, callback["signature"], "in-callback") if text in log.text]


# The users' settings


def test_do_not_disturb_is_switched_on_until_a_time_and_off(example: Example) -> None:
    assert example.user("PUT", "user0", body=json.dumps({"Until": UNTIL})) == (204, {})
    assert example.user("GET", "user0") == (200, {"Until": UNTIL, "Blocked": []})
    example.send(call_create("user0", "user1"))
    assert example.user("DELETE", "user0") == (204, {})
    assert example.user("GET", "user0") == (200, {"Until": None, "Blocked": []})
    example.send(call_create("user0", call_id="call-2"))
    assert [event["Availability"] for event in example.bus.events] == ["DoNotDisturb", "Available", "Available"]


def test_do_not_disturb_ends_at_its_time(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    example.user("PUT", "user0", body=json.dumps({"Until": UNTIL}))
    callback = call_create()
    monkeypatch.setattr(example.app.settings.time, "time", lambda: UNTIL)
    callback = signed(callback)
    assert example.send(callback) == 200
    assert example.bus.availability() == {"user0": "Available"}
    assert example.user("GET", "user0") == (200, {"Until": None, "Blocked": []})


def test_a_blocked_caller_is_marked_for_this_callee_only(example: Example) -> None:
    assert example.user("PUT", "user0", "/blocked", Caller="caller0") == (204, {})
    assert example.user("GET", "user0") == (200, {"Until": None, "Blocked": ["caller0"]})
    example.send(call_create("user0", "user1"))
    assert example.bus.availability() == {"user0": "CallerBlocked", "user1": "Available"}
    example.send(call_create("user0", caller="caller1"))
    assert example.bus.availability()["user0"] == "Available"
    assert example.user("DELETE", "user0", "/blocked", Caller="caller0") == (204, {})
    example.send(call_create("user0", call_id="call-2"))
    assert example.bus.availability()["user0"] == "Available"


@pytest.mark.parametrize(
    "body",
    [
        None,
        "no JSON",
        "[]",
        "{}",
        json.dumps({"Until": True}),
        json.dumps({"Until": UNTIL + 0.5}),
        json.dumps({"Until": 1}),
        json.dumps({"Until": UNTIL * 1000}),
    ],
)
def test_until_must_be_a_future_time_in_seconds(example: Example, body: str | None) -> None:
    assert example.user("PUT", "user0", body=body)[0] == 400


@pytest.mark.parametrize("user", ["", "u" * 33, "auth0/user", "user*"])
def test_user_ids_must_be_those_of_zim(example: Example, user: str) -> None:
    assert example.user("GET", user)[0] == 400
    assert example.user("PUT", "user0", "/blocked", Caller=user)[0] == 400


def test_limits_are_those_of_a_request_to_reject_a_call(example: Example) -> None:
    assert (
        example.app.USER_ID.pattern
        == USER_ID_SCHEMA["pattern"].strip("^$*").replace(r"\$", "$").replace(r"\^", "^") + "{1,32}"
    )
    assert example.app.LATEST_TIME == LATEST_EXPIRY


@pytest.fixture
def jwt(example: Example, monkeypatch: pytest.MonkeyPatch) -> Example:
    """The function with JWTs."""
    monkeypatch.setattr(example.app, "JWT_USER_CLAIM", "sub")
    return example


def test_the_user_of_a_token_changes_their_own_settings(jwt: Example) -> None:
    token = {"jwt": {"claims": {"sub": "user0"}}}
    body = json.dumps({"Until": UNTIL})
    assert jwt.request("PUT", "/do-not-disturb", body, authorizer=token, UserId="user1")[0] == 204
    jwt.send(call_create("user0", "user1"))
    assert jwt.bus.availability() == {"user0": "DoNotDisturb", "user1": "Available"}


@pytest.mark.parametrize(
    "authorizer", [None, {}, {"iam": {}}, {"jwt": {"claims": {}}}, {"jwt": {"claims": {"sub": "/"}}}]
)
def test_a_request_without_a_token_of_a_zim_user_is_forbidden(jwt: Example, authorizer: Any) -> None:
    assert jwt.request("GET", "/do-not-disturb", authorizer=authorizer)[0] == 403


def test_a_token_is_forbidden_where_iam_is_expected(example: Example) -> None:
    token = {"jwt": {"claims": {"sub": "user0"}}}
    assert example.request("GET", "/do-not-disturb", authorizer=token)[0] == 403


def test_an_unexpected_error_of_dynamodb_is_not_taken_for_a_used_nonce(
    example: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put_item(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException"}}, "PutItem")

    monkeypatch.setattr(example.app.invitations.dynamodb, "put_item", put_item)
    assert example.send(call_create()) == 503


# The role. moto does not check permissions.


@pytest.fixture
def calls(example: Example) -> Iterator[set[tuple[str, str]]]:
    """The IAM action and the resource of each request to DynamoDB and Secrets Manager, by its name in the fixtures."""
    found: set[tuple[str, str]] = set()

    def record(params: dict[str, Any], model: Any, **_: Any) -> None:
        names = params.get("RequestItems") or [params.get("TableName") or params.get("SecretId")]
        found.update((f"{model.service_model.signing_name}:{model.name}", name) for name in names)

    app = example.app
    clients = [app.invitations.dynamodb, app.settings.dynamodb.meta.client, app.secrets.client]
    for client in clients:
        client.meta.events.register("provide-client-params", record, unique_id="calls")
    yield found
    for client in clients:
        client.meta.events.unregister("provide-client-params", unique_id="calls")


def test_the_role_allows_exactly_the_requests_of_the_function(example: Example, calls: set[tuple[str, str]]) -> None:
    example.bus.failing = 1
    callback = call_create()
    assert [example.send(callback) for _ in range(3)] == [503, 200, 200]
    example.user("PUT", "user0", body=json.dumps({"Until": UNTIL}))
    example.user("GET", "user0")
    example.user("DELETE", "user0")

    resources = yaml_parse((EXAMPLE / "template.yaml").read_text())["Resources"]
    names = {"SettingsTable": "settings", "CallbacksTable": "callbacks", "CallbackSecretArn": "callback"}
    (policy,) = resources["DoNotDisturbRole"]["Properties"]["Policies"]
    allowed = {
        (action, name)
        for statement in policy["PolicyDocument"]["Statement"]
        for logical_id, name in names.items()
        if f"'{logical_id}'" in str(statement["Resource"])
        for action in as_list(statement["Action"])
    }
    # Powertools reads a record that the response of DynamoDB does not contain.
    assert allowed == calls | {("dynamodb:GetItem", "callbacks")}


@pytest.mark.parametrize("table", ["SettingsTable", "CallbacksTable"])
def test_items_expire_by_an_attribute_that_the_function_writes(example: Example, table: str) -> None:
    example.send(call_create())
    example.user("PUT", "user0", body=json.dumps({"Until": UNTIL}))
    properties = yaml_parse((EXAMPLE / "template.yaml").read_text())["Resources"][table]["Properties"]
    expiry = properties["TimeToLiveSpecification"]
    items = boto3.client("dynamodb").scan(TableName=table.removesuffix("Table").lower())["Items"]
    assert items
    assert expiry["Enabled"] is True
    assert all("N" in item[expiry["AttributeName"]] for item in items)
