"""Waiting for the database: a restart of some minutes costs time, never data."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import wraps
from time import monotonic, sleep
from typing import ParamSpec, TypeVar

from pymongo.errors import BulkWriteError, ConnectionFailure, CursorNotFound, OperationFailure, PyMongoError

from govcrawl.items import GovcrawlError

P = ParamSpec("P")
T = TypeVar("T")
LIMIT = timedelta(minutes=10)
SHORTEST, LONGEST = 0.05, 2.0  # seconds between tries
# Codes of a server that is going away or coming up (MongoDB's error_codes.yml); drivers retry most once.
PASSING = {6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436}

log = logging.getLogger(__name__)


class Patience:
    """Repeats operations that may run twice until the database answers, for ten minutes at most.

    One for all users of a process, so that a stop of the database is one log line and its end another.
    """

    def __init__(self, limit: timedelta = LIMIT) -> None:
        self.limit = limit
        self._since: float | None = None

    def sync(self, operation: Callable[P, T]) -> Callable[P, T]:
        """Decorate a function that may run twice: it waits for the database, too."""

        @wraps(operation)
        def waiting(*args: P.args, **kwargs: P.kwargs) -> T:
            pause = SHORTEST
            while True:
                try:
                    result = operation(*args, **kwargs)
                except PyMongoError as error:
                    if not passing(error):
                        raise
                    self._waiting(error)
                else:
                    self._back()
                    return result
                sleep(pause)
                pause = min(2 * pause, LONGEST)

        return waiting

    async def __call__(self, operation: Callable[[], Awaitable[T]]) -> T:
        """Return the operation's result; raise GovcrawlError when the database stays away too long."""
        pause = SHORTEST
        while True:
            try:
                result = await operation()
            except PyMongoError as error:
                if not passing(error):
                    raise
                self._waiting(error)
            else:
                self._back()
                return result
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST)

    def _waiting(self, error: PyMongoError) -> None:
        if self._since is None:
            self._since = monotonic()
            log.warning("database does not answer (%s): waiting for it", type(error).__name__)
        if monotonic() - self._since > self.limit.total_seconds():
            minutes = self.limit.total_seconds() / 60
            raise GovcrawlError(f"the database has not answered for {minutes:g} minutes") from error

    def _back(self) -> None:
        if self._since is not None:
            log.warning("database is back after %.0f s", monotonic() - self._since)
            self._since = None


patient = Patience()


def passing(error: PyMongoError) -> bool:
    """Tell whether the same operation can succeed later: a lost connection, not a refused document."""
    if isinstance(error, ConnectionFailure | CursorNotFound):
        return True
    if isinstance(error, BulkWriteError):
        details = error.details or {}
        return bool(details.get("writeConcernErrors")) and not details.get("writeErrors")
    return isinstance(error, OperationFailure) and (
        error.code in PASSING or error.has_error_label("RetryableWriteError")
    )
