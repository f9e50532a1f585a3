"""Connections: one set of options for every client, and one clear line when the server cannot be reached."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

from bson.codec_options import TypeCodec, TypeRegistry
from bson.decimal128 import Decimal128
from pymongo import AsyncMongoClient, DeleteOne, MongoClient, ReplaceOne
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import ConfigurationError, ConnectionFailure, InvalidURI, OperationFailure, PyMongoError
from pymongo.uri_parser import parse_uri

from govcrawl.items import GovcrawlError

Document: TypeAlias = dict[str, Any]
Sync: TypeAlias = Database[Document]
Async: TypeAlias = AsyncDatabase[Document]

DATABASE = "govcrawl"  # where the URI names none
REACH = 4000  # milliseconds to find a server
WRITES = 1000  # documents a write
ASK_AGAIN = 60.0  # seconds between questions for the server's time: clocks drift some ms in that
ANSWER = 60_000  # milliseconds for one answer: a dead connection must not hang a crawl for ever

REFUSALS = {13: "this user lacks the rights to read and write", 18: "user name or password not accepted"}


class DecimalCodec(TypeCodec):
    """Stores Decimal as Decimal128 and gives it back: scores never become floats."""

    python_type = Decimal
    bson_type = Decimal128

    def transform_python(self, value: Decimal) -> Decimal128:
        """Return what is stored."""
        return Decimal128(value)

    def transform_bson(self, value: Decimal128) -> Decimal:
        """Return the Decimal that was stored, trailing zeros included."""
        return value.to_decimal()


def _options() -> dict[str, Any]:
    return {
        "appname": "govcrawl",
        "tz_aware": True,
        "type_registry": TypeRegistry([DecimalCodec()]),
        "serverSelectionTimeoutMS": REACH,
        "connectTimeoutMS": REACH,
        "socketTimeoutMS": ANSWER,
    }


def connect(uri: str) -> Sync:
    """Return the URI's database (default `govcrawl`) of a server that answers; `.client.close()` ends it."""
    client = _client(uri)
    try:
        client.admin.command("ping")
    except PyMongoError as error:
        client.close()
        raise one_line(uri, error) from error
    return client.get_default_database(DATABASE)


@contextmanager
def connected(uri: str) -> Iterator[Sync]:
    """Yield the URI's database and end its client afterwards."""
    db = connect(uri)
    try:
        yield db
    finally:
        db.client.close()


def connect_async(uri: str) -> Async:
    """Return the URI's database for use in one event loop; connects at the first operation."""
    client: AsyncMongoClient[Document] = AsyncMongoClient(uri, **_options())
    return client.get_default_database(DATABASE)


def replace_all(collection: Collection[Document], query: Document, docs: Iterable[Document]) -> None:
    """Make these all the documents that a query finds; each has a string for its `_id`.

    What is to go is named one by one: a query for all but thousands of names takes a database minutes.
    """
    fresh = {doc["_id"]: doc for doc in docs}
    old = [doc["_id"] for doc in collection.find(query, {"_id": 1})]
    writes: list[ReplaceOne[Document] | DeleteOne] = [
        ReplaceOne({"_id": name}, doc, upsert=True) for name, doc in fresh.items()
    ]
    writes += [DeleteOne({"_id": name}) for name in old if name not in fresh]
    for start in range(0, len(writes), WRITES):
        collection.bulk_write(writes[start : start + WRITES], ordered=False)


def ping(uri: str) -> None:
    """Raise GovcrawlError with one line, free of credentials, unless the server answers within about 5 s."""
    connect(uri).client.close()


def clock(hello: Document) -> datetime:
    """Return the server's own time from its answer to `hello` (localTime, a documented field)."""
    found: datetime = hello["localTime"]
    return found.replace(tzinfo=UTC)  # commands are decoded without our client's options


def server_time(db: Sync) -> datetime:
    """Return the server's own time."""
    return clock(db.command("hello"))


class ServerClock:
    """The server's time, asked for now and then and carried on by this machine's monotonic clock between."""

    def __init__(self, db: Sync) -> None:
        self._db = db
        self._asked = (float("-inf"), datetime.now(UTC))  # when, monotonic, and what the server answered

    def now(self) -> datetime:
        """Return the server's time."""
        asked, answer = self._asked
        passed = time.monotonic() - asked
        if passed < ASK_AGAIN:
            return answer + timedelta(seconds=passed)
        answer = server_time(self._db)
        self._asked = (time.monotonic(), answer)
        return answer


def _client(uri: str) -> MongoClient[Document]:
    try:
        return MongoClient(uri, **_options())
    except (InvalidURI, ConfigurationError, ValueError) as error:
        raise one_line(uri, error) from error


def one_line(uri: str, error: Exception) -> GovcrawlError:
    """Return what went wrong at which server, without user, password or stored text."""
    if isinstance(error, InvalidURI | ConfigurationError | ValueError):
        return GovcrawlError(f"--mongo {_hosts(uri)}: not a usable MongoDB URI ({type(error).__name__})")
    if isinstance(error, ConnectionFailure):
        return GovcrawlError(f"MongoDB at {_hosts(uri)} cannot be reached: {_reason(str(error))}")
    if isinstance(error, OperationFailure) and error.code in REFUSALS:
        return GovcrawlError(f"MongoDB at {_hosts(uri)}: {REFUSALS[error.code]}")
    code = f", code {error.code}" if isinstance(error, OperationFailure) and error.code else ""
    return GovcrawlError(f"MongoDB at {_hosts(uri)} refused an operation ({type(error).__name__}{code})")


def _hosts(uri: str) -> str:
    try:
        return ",".join(f"{host}:{port}" for host, port in parse_uri(uri, warn=False)["nodelist"])
    except (PyMongoError, ValueError):
        # Only what follows the last @ and precedes the path: user and password stand before it.
        found = re.match(r"mongodb(?:\+srv)?://(?:.*@)?([\w.:,\[\]-]+)", uri, re.DOTALL)
        return found[1] if found else "(unreadable address)"


def _reason(text: str) -> str:
    for sign, meaning in (
        ("refused", "connection refused"),
        ("timed out", "no answer"),
        ("timeout", "no answer"),
        ("not known", "unknown host name"),
        ("resolution", "unknown host name"),
        ("SSL", "TLS handshake failed"),
        ("closed", "connection closed"),
        ("reset", "connection closed"),
    ):
        if sign in text.split(" (configured timeouts", 1)[0]:
            return meaning
    return "no answer"
