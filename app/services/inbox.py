"""What lamps and open lists go by: a mailbox's messages have a version that grows with each change."""

from __future__ import annotations

from sqlalchemy import update

from app.extensions import db
from app.models import Mailbox


def touch(mailbox_id: str) -> None:
    """The mailbox's messages changed, in the transaction that is open: lists look different, lamps may have to switch.

    It locks the mailbox's row.
    """
    db.session.execute(
        update(Mailbox)
        .where(Mailbox.id == mailbox_id)
        .values(mwi_dirty=True, mwi_version=Mailbox.mwi_version + 1, updated_at=Mailbox.updated_at)
        .execution_options(synchronize_session=False)
    )
