"""Deliveries in words: to whom, what became of them, and the few words that stand beside a message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.models import Delivery
from app.models.delivery import DONE, FAILED, PENDING, RUNNING, SKIPPED
from app.services.events import MESSAGE_CREATED, MESSAGE_DELETED, MESSAGE_READ
from app.services.outbox import EMAIL, UPLOAD, WEBHOOK
from app.services.outbox_rows import RECORDING_CREATED
from app.web.event_words import WORDS as EVENT_WORDS

KIND_NAMES = {UPLOAD: "Upload", EMAIL: "E-mail", WEBHOOK: "Webhook"}
STATE_WORDS = {PENDING: "On its way", RUNNING: "Being made", DONE: "Done", FAILED: "Failed", SKIPPED: "Not made"}
ATTEMPT_WORDS = {DONE: "done", FAILED: "failed, given up", PENDING: "failed", SKIPPED: "not made"}
EVENT_SENTENCES = EVENT_WORDS | {"greeting.changed": "a greeting was changed", RECORDING_CREATED: "a call was recorded"}
UPLOAD_WORDS = {
    PENDING: "Waiting to be stored",
    RUNNING: "Being stored",
    DONE: "Stored",
    FAILED: "Could not be stored; the recording is safe on its host",
}
SENT_WORDS = {PENDING: "{} waits", RUNNING: "{} is being sent", DONE: "{} sent", FAILED: "{} could not be sent"}


@dataclass(frozen=True)
class Summary:
    """What stands beside a message about its deliveries of one kind. wrong: something failed for good."""

    text: str
    wrong: bool


def summaries(deliveries: Iterable[Delivery]) -> list[Summary]:
    """What stands beside a message, a line a kind; nothing of what was never to be made.

    Of webhooks that tell what was done with the message later, only what is not done yet counts.
    """
    rows = [row for row in deliveries if row.state != SKIPPED]
    rows = [row for row in rows if row.event == MESSAGE_CREATED or row.state != DONE]
    by_kind = {kind: [row for row in rows if row.kind == kind] for kind in dict.fromkeys(row.kind for row in rows)}
    return [_summary(kind, some) for kind, some in by_kind.items()]


def to_whom(delivery: Delivery, hosts: Mapping[str, str]) -> str:
    """Kind and target in a few words. hosts: of webhooks, as app.services.deliveries.webhook_hosts() has them."""
    name = KIND_NAMES.get(delivery.kind, delivery.kind)
    if not delivery.target:
        return name
    if delivery.kind == UPLOAD:
        return f"{name} from {delivery.target}"
    if delivery.kind == WEBHOOK:
        host = hosts.get(delivery.target, "")
        return f"{name} to {host}" if host else f"{name} that is no longer set up"
    return f"{name} to {delivery.target}"


def about(delivery: Delivery) -> str:
    """Which event it tells of, as a sentence without its time."""
    return EVENT_SENTENCES.get(delivery.event, delivery.event)


def state_words(delivery: Delivery) -> str:
    """What became of it."""
    if delivery.state == PENDING and delivery.attempts:
        return "Waits for another try"
    return STATE_WORDS.get(delivery.state, delivery.state)


def times(number: int) -> str:
    """How often, in words."""
    return "once" if number == 1 else f"{number} times"


def _summary(kind: str, rows: list[Delivery]) -> Summary:
    worst = next(state for state in (FAILED, RUNNING, PENDING, DONE) if any(row.state == state for row in rows))
    some = [row for row in rows if row.state == worst]
    if kind == UPLOAD:
        text = UPLOAD_WORDS[worst]
    else:
        name = KIND_NAMES.get(kind, kind)
        if kind == EMAIL and len(rows) > 1:
            name += f" to {_of(len(some), len(rows))} addresses"
        text = SENT_WORDS[worst].format(name)
        if worst == FAILED and {row.event for row in some} <= {MESSAGE_READ, MESSAGE_DELETED}:
            text += f": {about(some[0])}"
    tried = max(row.attempts for row in some)
    if worst == PENDING and tried:
        text += f", tried {tried} {'time' if tried == 1 else 'times'}"
    return Summary(text, worst == FAILED)


def _of(some: int, number: int) -> str:
    return f"{number}" if some == number else f"{some} of {number}"
