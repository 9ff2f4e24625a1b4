"""`zim.startup` and the prefetch of `zim.credentials`. See also tests/artifact/test_artifact_startup.py."""

import gc
import importlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
import snapshot_restore_py

from local.zim_simulator.zim import APP_ID, SERVER_SECRET
from tests.support.zim_connections import ZimConnections, zim_connections
from tests.unit.doubles import SETTINGS, delay_connections
from zim.credentials import CredentialsStore

SECRET = json.dumps({"AppId": APP_ID, "ServerSecret": SERVER_SECRET})


@pytest.fixture
def server() -> Iterator[ZimConnections]:
    with zim_connections() as running:
        yield running


@pytest.fixture
def start(server: ZimConnections, aws: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], ModuleType]]:
    """Import zim.startup as a new execution environment does."""
    for name, value in {**SETTINGS, "ZIM_API_BASE_URL": server.url}.items():
        monkeypatch.setenv(name, value)

    def start() -> ModuleType:
        monkeypatch.delitem(sys.modules, "zim.startup", raising=False)
        return importlib.import_module("zim.startup")

    yield start
    gc.enable()
    gc.unfreeze()
    sys.modules.pop("zim.startup", None)


def test_init_prepares_the_connection_and_the_secret_and_waits_for_both(
    start: Callable[[], ModuleType], server: ZimConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(_: CredentialsStore) -> str:
        time.sleep(0.2)
        return SECRET

    monkeypatch.setattr(CredentialsStore, "_read", read)
    delay_connections(monkeypatch, lambda: time.sleep(0.4))
    startup = start()
    assert startup._credentials._cached  # noqa: SLF001
    assert startup._connector._prepared  # noqa: SLF001
    assert server.has_accepted(1)
    assert server.requests == []
    assert gc.isenabled()


def test_init_waits_for_the_secret_if_it_is_slower_than_the_connection(
    start: Callable[[], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(_: CredentialsStore) -> str:
        time.sleep(0.4)
        return SECRET

    monkeypatch.setattr(CredentialsStore, "_read", read)
    assert start()._credentials._cached  # noqa: SLF001


def test_a_snapshot_is_taken_before_the_restore_hook_prepares_both(
    start: Callable[[], ModuleType], server: ZimConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks: list[Callable[[], None]] = []
    monkeypatch.setattr(snapshot_restore_py, "register_after_restore", hooks.append)
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")
    startup = start()
    assert server.accepted == 0
    assert startup._credentials._cached is None  # noqa: SLF001 - the snapshot must not contain it
    (restore,) = hooks
    restore()
    startup._credentials.wait(10)  # noqa: SLF001
    assert server.has_accepted(1)
    assert startup._credentials._cached  # noqa: SLF001


def test_a_failed_prefetch_is_repeated_by_get(aws: Any) -> None:
    store = CredentialsStore("later", aws)
    store.wait(10)  # nothing was prefetched
    store.prefetch()
    store.wait(10)
    aws.create_secret(Name="later", SecretString=aws.get_secret_value(SecretId="zim")["SecretString"])
    assert store.get().app_id == APP_ID
