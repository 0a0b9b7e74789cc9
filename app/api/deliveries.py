"""Deliveries of a message as programs see them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from app.models import Attempt, Delivery
from app.models.delivery import PENDING
from app.services.outbox import WEBHOOK


def delivery_json(delivery: Delivery, attempts: Iterable[Attempt], hosts: Mapping[str, str]) -> dict[str, Any]:
    """A delivery with its history, oldest attempt first.

    hosts: of webhooks by target, for `to`: a webhook's URL may hold secrets.
    """
    return {
        "id": delivery.id,
        "kind": delivery.kind,
        "event": delivery.event,
        "to": hosts.get(delivery.target, "") if delivery.kind == WEBHOOK else delivery.target,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "last_error": delivery.last_error,
        "next_try_at": _text(delivery.next_try_at) if delivery.state == PENDING else None,
        "done_at": _text(delivery.done_at),
        "history": [_attempt_json(attempt) for attempt in attempts],
    }


def _attempt_json(attempt: Attempt) -> dict[str, Any]:
    return {
        "attempt": attempt.attempt,
        "started_at": _text(attempt.started_at),
        "ended_at": _text(attempt.ended_at),
        "state": attempt.state,
        "error": attempt.error,
        "next_try_at": _text(attempt.next_try_at),
    }


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
