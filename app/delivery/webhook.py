"""Webhook: what happened to a message is posted to the settings' receiver, and to the mailbox's own.

A 2xx ends it, a 410 switches the webhook off; everything else is tried again for as long as deliveries are: receivers
are moved, deployed anew and given other passwords, and each event is owed.
"""

from __future__ import annotations

import logging
import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from app import net
from app.config import Settings, SettingsError
from app.delivery.errors import PermanentError, TemporaryError
from app.delivery.webhook_event import Nothing, event_of
from app.delivery.webhook_post import post
from app.extensions import db
from app.services import lanes, webhooks
from app.services.outbox import DONE, FAILED, LONGEST_WISH_SECONDS, PENDING, SKIPPED, Claim, Outcome
from app.services.webhooks import Hook, NoWebhook

log = logging.getLogger(__name__)

GONE = 410
# Who asks for a pause: too many requests, and service unavailable.
OBEYED = (429, 503)
PHRASES: dict[int, str] = {status.value: status.phrase for status in HTTPStatus}


def deliver(claim: Claim, settings: Settings) -> Outcome:
    """Post one event to one receiver. TemporaryError, PermanentError."""
    try:
        hook = webhooks.hook_of(claim.target)
        event = event_of(claim)
    except (NoWebhook, Nothing) as why:
        return Outcome(SKIPPED, error=str(why))
    except SettingsError as error:
        raise TemporaryError(str(error)) from None
    except net.BadRequest as error:
        raise PermanentError(str(error)) from None
    db.session.rollback()
    try:
        answer = post(hook, event, claim.idempotency_key, settings)
    except net.BadRequest as error:
        raise PermanentError(str(error)) from None
    except net.TimedOut as error:
        return Outcome(PENDING, error=str(error), changes=lambda: lanes.timed_out(hook.lane))
    except net.NetError as error:
        return Outcome(PENDING, error=str(error), changes=lambda: lanes.answered(hook.lane))
    return _outcome(hook, answer)


def _outcome(hook: Hook, answer: net.Answer) -> Outcome:
    if 200 <= answer.status < 300:
        return Outcome(DONE, changes=lambda: lanes.answered(hook.lane))
    said = verdict(hook.lane, answer.status)
    if answer.status == GONE:
        return Outcome(
            FAILED, error=said, changes=lambda: _gone(hook, said), after=lambda counted: _tell(hook, counted)
        )
    wish = retry_after(answer.headers.get("retry-after", ""), time.time()) if answer.status in OBEYED else None
    return Outcome(PENDING, error=said, retry_after=wish, changes=lambda: lanes.answered(hook.lane))


def verdict(place: str, status: int) -> str:
    """What an answer means, in a sentence for staff. What the receiver wrote is left out: it may repeat our secrets."""
    text = f"{place} answered {status} {PHRASES.get(status, '')}".rstrip()
    if status == GONE:
        return f"{text}: the webhook is switched off."
    if 300 <= status < 400:
        return f"{text}: redirects are not followed, so the webhook needs the new address."
    return f"{text}."


def retry_after(text: str, now: float) -> float | None:
    """Seconds that a Retry-After header asks for (RFC 9110 section 10.2.3), an hour at most; None for anything else."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        wish = float(text[:12])
    else:
        try:
            wish = parsedate_to_datetime(text).timestamp() - now
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(wish, 0.0), LONGEST_WISH_SECONDS)


def _gone(hook: Hook, said: str) -> None:
    webhooks.switch_off(hook, said)
    lanes.answered(hook.lane)


def _tell(hook: Hook, counted: bool) -> None:
    if counted:
        log.warning("webhook=%s is switched off: %s says that it is gone (410)", hook.scope, hook.lane)
