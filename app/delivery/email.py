"""E-mail: a message, or what else happened in a mailbox, is told to one address.

It may run twice; both mails have one Message-ID. Of a message that cannot be attached the mail has only the link; so
has the last attempt while the host of its spool, or the store, is down.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import soundfile
from flask_mail import Attachment
from sqlalchemy import select

from app.config import Settings
from app.delivery.errors import TemporaryError
from app.errors import Unavailable
from app.extensions import db
from app.mail import facts, kept, recording
from app.mail.compose import compose
from app.mail.facts import Facts
from app.mail.recording import TooLarge
from app.mail.refusals import MailTooLarge
from app.models import Event, Mailbox, Message
from app.models.mailbox import NO_ATTACHMENT
from app.services import addresses, after_mailing, events, messages
from app.services.after_mailing import LINK_ONLY
from app.services.outbox import DONE, SKIPPED, Claim, Outcome, next_wait
from app.storage import AudioSource, StoreError

log = logging.getLogger(__name__)
TOO_LARGE = f"{LINK_ONLY}: the recording is larger than smtp.attachment_bytes"
REFUSED_SIZE = f"{LINK_ONLY}: the server does not take a mail as large as the recording"
NO_AUDIO = f"{LINK_ONLY}: the recording cannot be converted"
OUT_OF_REACH = f"{LINK_ONLY}: the recording was out of reach at every attempt"
READS = 2


@dataclass(frozen=True)
class _Mail:
    """What is to be sent. source: the recording to attach as `kind`, None where the mail goes without; note: why."""

    facts: Facts
    source: AudioSource | None = None
    kind: str = NO_ATTACHMENT
    note: str = ""


def deliver(claim: Claim, settings: Settings) -> Outcome:
    """Send a mail to the claim's address. TemporaryError, PermanentError."""
    for attempt in range(READS):
        found = _read(claim, settings)
        if isinstance(found, str):
            return _outcome(claim, SKIPPED, found)
        try:
            about, (attachment, note) = found.facts, _attachment(found, settings)
            break
        except StoreError as error:
            # The upload may have moved it a moment ago.
            if not attempt:
                continue
            if not _is_last(claim, settings):
                raise TemporaryError(f"the recording cannot be read: {error}") from error
            about, attachment, note = found.facts, None, OUT_OF_REACH
    return _outcome(claim, DONE, _send(claim, settings, about, attachment, note))


def _send(claim: Claim, settings: Settings, about: Facts, attachment: Attachment | None, note: str) -> str:
    """Send it, without the recording where the server takes no mail as large; the note for the delivery's row."""
    key, address = claim.idempotency_key, claim.target
    letter = compose(about, address, settings, key=key, attachment=attachment, too_large=note == TOO_LARGE)
    try:
        said = kept.post(letter, settings)
    except MailTooLarge:
        if attachment is None:
            raise
        said = kept.post(compose(about, address, settings, key=key, too_large=True), settings)
        note = REFUSED_SIZE
    log.info("delivery=%s mailed: %s", claim.delivery_id, said)
    return note


def _outcome(claim: Claim, state: str, note: str) -> Outcome:
    """The outcome; the last one of a message's mails may have to mark it, or move it to the trash."""
    message_id = claim.message_id if claim.event == events.MESSAGE_CREATED else None
    return Outcome(state, error=note, changes=(lambda: after_mailing.settle(message_id)) if message_id else None)


def _read(claim: Claim, settings: Settings) -> _Mail | str:
    """What is to be sent, or why nothing is; no transaction is left open."""
    try:
        box = db.session.get(Mailbox, claim.mailbox_id)
        if box is None or box.live_extension is None:
            return "the mailbox is deleted"
        if not settings.smtp.host:
            return "e-mail is not set up"
        if claim.event == events.MESSAGE_CREATED:
            return _read_message(claim, box, settings)
        event = db.session.scalar(select(Event).where(Event.id == claim.event_id))
        if event is None or event.event not in facts.KIND_OF:
            return "what happened is no longer known"
        return _Mail(facts.of_event(event, box, settings))
    finally:
        db.session.rollback()


def _read_message(claim: Claim, box: Mailbox, settings: Settings) -> _Mail | str:
    message = db.session.get(Message, claim.message_id, populate_existing=True)
    if message is None or message.purged_at is not None:
        return "the message was purged"
    if claim.target not in addresses.split(box.email):
        # Who must not get it any more does not, however long the mail has waited.
        return "the address is no longer the mailbox's"
    about, kind = facts.of_message(message, settings), after_mailing.attachment_of(box)
    if kind == NO_ATTACHMENT:
        return _Mail(about)
    try:
        return _Mail(about, messages.open_audio(message), kind)
    except Unavailable as error:
        if _is_last(claim, settings):
            return _Mail(about, note=OUT_OF_REACH)
        raise TemporaryError(error.message, error.retry_after) from error


def _is_last(claim: Claim, settings: Settings) -> bool:
    """Whether no attempt follows this one: who is not told now, is never told."""
    return next_wait(claim.attempt, settings.delivery) is None


def _attachment(mail: _Mail, settings: Settings) -> tuple[Attachment | None, str]:
    """The recording as a file, or none and why. StoreError."""
    if mail.source is None:
        return None, mail.note
    try:
        return recording.attachment_of(mail.source, mail.kind, mail.facts, settings.smtp.attachment_bytes), ""
    except TooLarge:
        return None, TOO_LARGE
    except soundfile.LibsndfileError as error:
        log.warning("a recording cannot be converted to %s: %s", mail.kind, error)
        return None, NO_AUDIO
