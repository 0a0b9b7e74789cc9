"""What becomes of a message that was mailed: kept as new, marked as read, or moved to the trash, as its mailbox says.

Only when every address has the mail with the recording, and the store has the recording: whichever is last does it.
"""

from __future__ import annotations

from sqlalchemy import select

from app.extensions import db
from app.models import Delivery, Mailbox, Message
from app.models.base import database_now
from app.models.delivery import DONE, SKIPPED
from app.models.mailbox import NO_ATTACHMENT, READ, TRASH
from app.models.message import DISCARDED, NEW, SAVED
from app.services import audit, events
from app.services.context import settings
from app.services.inbox import changed
from app.services.outbox_rows import EMAIL

ACTOR = "e-mail"
# What the delivery's row says of a mail without the recording: such a message stays as it is.
LINK_ONLY = "sent with the link only"


def attachment_of(box: Mailbox) -> str:
    """What is attached to this mailbox's mails: none, wav or mp3."""
    return box.mail_attachment or settings().smtp.attachment


def settle(message_id: str) -> None:
    """Do what is due, in the transaction of the outcome that may be the last one; once, since it changes the message.

    Locks are taken in the order delivery, message, mailbox, as everywhere: of two outcomes that come at once the
    second one waits here, and sees the first.
    """
    wanted = select(Mailbox.after_mailing).join(Message, Message.mailbox_id == Mailbox.id)
    if db.session.scalar(wanted.where(Message.id == message_id)) not in (READ, TRASH):
        # Most mailboxes: nothing to lock.
        return
    message = db.session.get(Message, message_id, with_for_update=True, populate_existing=True)
    if message is None or message.purged_at or message.deleted_at or message.state == DISCARDED:
        return
    box = db.session.get_one(Mailbox, message.mailbox_id, populate_existing=True)
    action = box.after_mailing
    if action not in (READ, TRASH) or box.live_extension is None or attachment_of(box) == NO_ATTACHMENT:
        return
    if message.storage_key is None or not _mailed_to_all(message_id):
        return
    if action == TRASH:
        message.deleted_at = db.session.scalar(select(database_now()))
        changed(events.MESSAGE_DELETED, box.id, message_id)
        audit.record(ACTOR, "message.delete", message_id)
    elif message.state == NEW:
        message.state = SAVED
        changed(events.MESSAGE_READ, box.id, message_id)
        audit.record(ACTOR, f"message.{SAVED}", message_id)


def _mailed_to_all(message_id: str) -> bool:
    """Whether each address that is still the mailbox's has the mail, and the recording with it."""
    rows = db.session.execute(
        select(Delivery.state, Delivery.last_error).where(
            Delivery.message_id == message_id,
            Delivery.kind == EMAIL,
            Delivery.event == events.MESSAGE_CREATED,
            Delivery.state != SKIPPED,
        )
    ).all()
    return bool(rows) and all(state == DONE and not note.startswith(LINK_ONLY) for state, note in rows)
