"""Which voice workers are alive and which calls they serve: they say so in Redis as it changes (voice/board.py)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import redis

from app.config import Settings
from app.errors import Unavailable
from app.services.context import settings

WORKERS, CALLS = "voicemail:worker:*", "voicemail:calls:*"
ANSWER_SECONDS = 1.0
STATES = (
    "ringing", "greeting", "recording", "reviewing", "closing", "logging in", "retrieving", "transferring",
    "programmed",
)  # fmt: skip
MAX_TEXT = 128
LONGEST_CALL_ID = 255


@dataclass(frozen=True)
class LiveCall:
    """A call in progress. state: one of STATES, or a later one.

    extension, mailbox_id, timezone: of its mailbox; empty, and UTC, where its caller has yet to say which it is.

    call_id: its Call-ID on the wire.

    received, lost: packets from the caller; lost_there: packets to the caller that it says it lost, None: unknown.
    """

    key: str
    worker: str
    caller_number: str
    caller_name: str
    extension: str
    mailbox_id: str
    timezone: str
    state: str
    since: datetime
    held: bool
    received: int
    lost: int
    lost_there: int | None
    call_id: str = ""


@dataclass(frozen=True)
class LiveCalls:
    """The calls that are listed, oldest first, and how many there are."""

    calls: list[LiveCall]
    total: int


def live(using: Settings | None = None) -> list[dict[str, Any]]:
    """The state of each worker, by host and port; Unavailable where Redis is away.

    host, sip_host, sip_port, calls, states (calls by state), max_calls, state (ready or draining), started_at,
    registered: None, or registrar, state (trying, registered, refused, left), reason, until, next_try (times in
    ISO 8601, or None); counters (see voice/worker.py). using: those settings instead of the application's.
    """
    with _redis(using) as client:
        return [value | {"registered": _dict(value.get("registered"))} for _, value in _values(client, WORKERS)]


def calls(mailbox_id: str | None = None) -> LiveCalls:
    """The calls in progress, of one mailbox or of all; Unavailable where Redis is away."""
    found: list[LiveCall] = []
    total = 0
    with _redis() as client:
        boards = list(_values(client, CALLS))
    for key, board in boards:
        worker = key.split(":", 2)[2]
        listed = board.get("calls")
        rows = [
            call for row in (listed if isinstance(listed, list) else ()) if (call := _call(worker, row)) is not None
        ]
        found += [call for call in rows if mailbox_id in (None, call.mailbox_id)]
        total += _number(board.get("total"))
    found.sort(key=lambda call: (call.since, call.key))
    return LiveCalls(found, len(found) if mailbox_id is not None else max(total, len(found)))


@contextmanager
def _redis(using: Settings | None = None) -> Iterator[redis.Redis]:
    try:
        with redis.Redis.from_url(
            (using or settings()).redis_url, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS
        ) as client:
            yield client
    except redis.RedisError:
        raise Unavailable("Redis is away, so nobody knows which voice workers are alive.") from None


def _values(client: redis.Redis, pattern: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Keys and what they hold, in order; what cannot be read is left out."""
    keys = sorted(client.scan_iter(pattern, count=100))
    for key, value in zip(keys, client.mget(keys) if keys else [], strict=True):
        try:
            found = json.loads(value) if value else None
        except ValueError:
            continue
        if isinstance(found, dict):
            yield key.decode("utf-8", "replace"), found


def _call(worker: str, row: Any) -> LiveCall | None:
    """A call as it was published; None where it makes no sense, as from a worker of another version."""
    try:
        return LiveCall(
            key=f"{worker}-{int(row['id'])}",
            worker=worker,
            caller_number=_text(row["caller"]),
            caller_name=_text(row["caller_name"]),
            extension=_text(row["extension"]),
            mailbox_id=_text(row["mailbox_id"]),
            timezone=_zone(row["timezone"]),
            state=_text(row["state"]),
            since=datetime.fromisoformat(row["since"]).astimezone(UTC),
            held=bool(row["held"]),
            received=_number(row["received"]),
            lost=_number(row["lost"]),
            lost_there=None if row.get("lost_there") is None else _number(row["lost_there"]),
            call_id=str(row.get("call_id") or "")[:LONGEST_CALL_ID],
        )
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


def _text(value: Any) -> str:
    """Text that can be shown: what a caller sent as a name may be no text at all."""
    return "".join(c if c.isprintable() else "\ufffd" for c in str(value)[:MAX_TEXT])


def moment(value: Any) -> datetime | None:
    """A time in ISO 8601 as workers publish it; None for what is none."""
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else None


def _dict(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _zone(value: Any) -> str:
    try:
        return ZoneInfo(str(value)).key
    except (ValueError, OSError, KeyError):
        return settings().timezone
