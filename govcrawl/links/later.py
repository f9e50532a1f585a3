"""A later pass over links: which verdicts deserve one, and what both passes come to together."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from govcrawl.items import LinkCheck, LinkState

UNCONFIRMED = "unconfirmed: "  # a failure that may heal, seen in one pass only
_TRANSIENT = frozenset(
    ("timeout", "reset", "refused", "dns", "protocol", "unreachable", "tls", "proxy", "rate_limited")
)
_OURS = frozenset(
    ("proxy", "internal_error", "stopped", "outside_window", "daily_budget")
)  # say nothing of the target
_FOR_GOOD = frozenset(("invalid_url", "not_http"))


def transient(reason: str) -> bool:
    """Tell whether what a verdict rests on may have passed by the next pass."""
    reason = reason.removeprefix(UNCONFIRMED)
    return reason in _TRANSIENT or reason in _OURS or reason.startswith("http_5") or reason == "http_408"


def open_to_doubt(check: LinkCheck) -> bool:
    """Tell whether a later pass may come to another verdict: a dead target, or one that could not be told."""
    if check.state is LinkState.DEAD:
        return check.reason not in _FOR_GOOD
    return check.state is LinkState.UNKNOWN and transient(check.reason)


def last_try(check: LinkCheck) -> datetime | None:
    """Return when a target was last tried."""
    return max((one.at for one in check.attempts), default=None)


def joined(before: LinkCheck, now: LinkCheck) -> LinkCheck:
    """Return the verdict of two passes, with the tries of both.

    A target that answered in either pass is not dead. One that failed in both is; a failure that may heal
    needs both. A pass that failed for a reason of ours leaves the verdict as it was.
    """
    now = replace(now, attempts=(*before.attempts, *now.attempts))
    if now.state is LinkState.UNKNOWN and now.reason in _OURS:
        return replace(before, attempts=now.attempts)
    failed_before = before.state is LinkState.DEAD or before.reason.startswith(UNCONFIRMED)
    if now.state is LinkState.DEAD and transient(now.reason) and not failed_before:
        return replace(now, state=LinkState.UNKNOWN, reason=f"{UNCONFIRMED}{now.reason}")
    if now.state is LinkState.ALIVE:
        return replace(now, reason=" ".join(filter(None, (f"after {_failure(before)}", now.reason))))
    return now


def _failure(check: LinkCheck) -> str:
    return check.reason.removeprefix(UNCONFIRMED) or check.error or str(check.state)
