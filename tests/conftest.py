"""Fixtures several test modules share."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from pymongo import MongoClient

from govcrawl.store import client, schema, server

# The same examples on every machine and every run, however busy: no test may depend on chance or the clock.
settings.register_profile(
    "repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")

# A shell's background job ignores Ctrl-C and so would every command a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def mongo_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield a server for the whole test session: GOVCRAWL_TEST_MONGO, or an embedded one."""
    with server.resolve(os.environ.get("GOVCRAWL_TEST_MONGO"), tmp_path_factory.mktemp("db")) as uri:
        yield uri


@pytest.fixture
def store_name() -> str:
    """Return a database name no other test uses."""
    return f"test_{uuid.uuid4().hex[:12]}"


@pytest.fixture
def store_uri(mongo_uri: str, store_name: str) -> Iterator[str]:
    """Yield the URI of a fresh database with its collections; dropped afterwards."""
    head, _, options = mongo_uri.partition("?")
    uri = f"{head.rsplit('/', 1)[0] if head.count('/') > 2 else head}/{store_name}?{options}"
    with client.connected(uri) as db:
        schema.ensure_schema(db)
    yield uri
    # Our own client waits a minute for an answer; a week of visits may take longer to drop on a busy machine.
    with MongoClient[dict[str, Any]](uri) as patient:
        patient.drop_database(store_name)


@pytest.fixture
def store(store_uri: str) -> Iterator[client.Sync]:
    """Yield the fresh database for synchronous use."""
    db = client.connect(store_uri)
    yield db
    db.client.close()
