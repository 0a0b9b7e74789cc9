"""What lamps and open lists go by: a mailbox's messages have a version that grows with each change.

Every change of messages goes through touch(), and so every lamp hears of it.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy import update

from app.database import afterwards
from app.extensions import db
from app.jobs import queue
from app.models import Mailbox
from app.services import events

CHANNEL = "voicemail:message-waiting"


def touch(mailbox_id: str) -> None:
    """The mailbox's messages changed, in the transaction that is open: lists look different, lamps may have to switch.

    It locks the mailbox's row. Right after the commit the voice workers are told; where Redis is away they find the
    mailbox by its flag (app/services/lamps.py).
    """
    db.session.execute(
        update(Mailbox)
        .where(Mailbox.id == mailbox_id)
        .values(mwi_dirty=True, mwi_version=Mailbox.mwi_version + 1, updated_at=Mailbox.updated_at)
        .execution_options(synchronize_session=False)
    )
    afterwards(partial(tell_lamps, mailbox_id))


def changed(event: str, mailbox_id: str, message_id: str | None = None, **data: Any) -> None:
    """As touch(), with the event that tells of it (app/services/events.py)."""
    touch(mailbox_id)
    events.record(event, mailbox_id, message_id, **data)


def tell_lamps(mailbox_id: str) -> bool:
    """Have the counts sent to all phones and PBXs that are told of this mailbox; False where Redis is away.

    After the commit. Voice workers that do not hear it now find out by the mailbox's flag, in seconds.
    """
    return queue.publish(CHANNEL, mailbox_id)
