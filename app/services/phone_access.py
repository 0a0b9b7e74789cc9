"""Telephone access to a mailbox: extension and PIN, locks that follow wrong ones, and the change of a PIN.

A refusal is one answer, whatever its reason, and costs the same work: a hash, and a commit that notes it.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import select, update

from app.database import writing
from app.extensions import db
from app.models import Mailbox
from app.models.base import database_now
from app.services import audit, events, mailboxes, pins

FAILURES = 5
WINDOW = timedelta(minutes=15)
FIRST_LOCK = timedelta(minutes=15)
LONGEST_LOCK = timedelta(days=1)
# As often a hash is computed anew for one attempt because the PIN was changed meanwhile.
TRIES = 3
ACTOR = "phone"


class PinOutcome(StrEnum):
    """What came of changing a PIN, beside the rules that a new one may break (app/services/pins.py)."""

    DONE = "done"
    WRONG = "wrong"
    GONE = "gone"


def log_in(number: str, pin: str, source: str) -> Mailbox | None:
    """The mailbox of this extension or alias, where the PIN is right and its telephone access is not locked.

    Five wrong PINs within 15 minutes lock it for 15 minutes, each lock after that for twice as long, up to a day.
    source: from where, for the record; it may name a caller.
    """
    found = mailboxes.find([number])
    mailbox_id = found.id if found else None
    db.session.rollback()
    if mailbox_id is None:
        pins.verify(pins.decoy(), pin)
        with writing():
            audit.record(ACTOR, "phone.refused", "", source[:200])
        return None
    return db.session.get(Mailbox, mailbox_id) if _admit(mailbox_id, pin, source) else None


def open_own(extension: str) -> Mailbox | None:
    """The mailbox of an extension that trusts its own phone, or None.

    A lock does not count here: it is against guessing, and here nothing is to be guessed.
    """
    found = mailboxes.find([extension])
    return found if found and found.extension == extension and found.trusts_own_phone else None


def pin_is(mailbox_id: str, pin: str, source: str) -> bool | None:
    """Whether this is the PIN of a mailbox that is open already; None where the mailbox is no more.

    A wrong one counts as in log_in(), and so does a lock.
    """
    if db.session.scalar(select(Mailbox.live_extension).where(Mailbox.id == mailbox_id)) is None:
        return None
    return _admit(mailbox_id, pin, source) is not None


def change_pin(mailbox_id: str, old: str, new: str, source: str) -> PinOutcome | pins.Rule:
    """Change the PIN as its owner does, or the first rule that the new one breaks.

    A wrong old one counts as in log_in().
    """
    extension = db.session.scalar(select(Mailbox.live_extension).where(Mailbox.id == mailbox_id))
    if extension is None:
        return PinOutcome.GONE
    hashed = _admit(mailbox_id, old, source)
    if hashed is None:
        return PinOutcome.WRONG
    if (broken := pins.broken_rule(new, extension)) is not None:
        return broken
    pin_hash = pins.hash_secret(new)
    with writing():
        box = _locked(mailbox_id)
        if box is None:
            return PinOutcome.GONE
        if box.pin_hash != hashed:
            # The portal changed it in this moment: the old PIN is not right any more.
            return PinOutcome.WRONG
        _set(mailbox_id, pin_hash=pin_hash)
        events.record(events.PIN_CHANGED, mailbox_id)
        audit.record(ACTOR, "mailbox.change_pin", mailbox_id, extension)
    return PinOutcome.DONE


def unlock(extension: str, *, actor: str) -> None:
    """End the lock of a mailbox's telephone access and forget the wrong PINs, if there are any; NotFound."""
    with writing():
        box = mailboxes.get(extension, locked=True)
        was_locked = box.phone_locked_until is not None and box.phone_locked_until > _now()
        _set(box.id, phone_failures=None, phone_locked_until=None, phone_locks=0)
        if was_locked:
            events.record(events.MAILBOX_UNLOCKED, box.id)
            audit.record(actor, "mailbox.unlock", box.id, extension)


def locked_until(box: Mailbox) -> datetime | None:
    """When the lock of this mailbox's telephone access ends, or None where it is not locked."""
    until = box.phone_locked_until
    return until if until is not None and until > _now() else None


def _admit(mailbox_id: str, pin: str, source: str) -> str | None:
    """The hash of this PIN where it opens the mailbox now; a wrong one is counted."""
    for _ in range(TRIES):
        hashed = db.session.scalar(select(Mailbox.pin_hash).where(Mailbox.id == mailbox_id)) or pins.decoy()
        db.session.rollback()
        # No transaction is open while the hash is computed.
        admitted = _settle(mailbox_id, hashed, pins.verify(hashed, pin), source)
        if admitted is not None:
            return _renewed(mailbox_id, hashed, pin) if admitted else None
    return None


def _renewed(mailbox_id: str, hashed: str, pin: str) -> str:
    """The hash by the parameters in force, made for who is admitted: else its time would tell that the PIN is right."""
    if not pins.is_outdated(hashed):
        return hashed
    renewed = pins.hash_secret(pin)
    with writing():
        box = _locked(mailbox_id)
        if box is None or box.pin_hash != hashed:
            # Another PIN since then.
            return hashed
        _set(mailbox_id, pin_hash=renewed)
    return renewed


def _settle(mailbox_id: str, hashed: str, right: bool, source: str) -> bool | None:
    """Admit or refuse, one caller at a time; None where the PIN is another one than was compared."""
    with writing():
        box = _locked(mailbox_id)
        if box is not None and box.pin_hash != hashed:
            return None
        now = _now()
        locked = box is None or (box.phone_locked_until is not None and box.phone_locked_until > now)
        if right and not locked:
            # Wrong PINs of the last minutes go on counting: else a guesser would have four more after each log-in.
            _set(mailbox_id, phone_locks=0)
            return True
        if box is not None and not locked:
            _count_failure(box, now, source)
        audit.record(ACTOR, "phone.refused", mailbox_id, source[:200])
    return False


def _count_failure(box: Mailbox, now: datetime, source: str) -> None:
    failures = [when for when in _failures(box) if when > now - WINDOW] + [now]
    if len(failures) < FAILURES:
        _set(box.id, phone_failures=json.dumps([when.isoformat() for when in failures]))
        return
    recent = box.phone_locked_until is not None and now - box.phone_locked_until < LONGEST_LOCK
    locks = box.phone_locks + 1 if recent else 1
    until = now + min(FIRST_LOCK * 2 ** min(locks - 1, 20), LONGEST_LOCK)
    _set(box.id, phone_failures=None, phone_locked_until=until, phone_locks=locks)
    events.record(events.MAILBOX_LOCKED, box.id, until=until.isoformat(), locks=locks)
    audit.record(ACTOR, "mailbox.lock", box.id, f"{box.extension}, after calls from {source[:100]}")


def _failures(box: Mailbox) -> list[datetime]:
    return [datetime.fromisoformat(when) for when in json.loads(box.phone_failures or "[]")]


def _locked(mailbox_id: str) -> Mailbox | None:
    """The mailbox while it lives; nobody else changes it until this transaction ends."""
    box = db.session.get(Mailbox, mailbox_id, with_for_update=True)
    return box if box is not None and box.live_extension is not None else None


def _set(mailbox_id: str, **values: Any) -> None:
    """Change columns that no call needs to know: the snapshot of mailboxes is not made anew for them."""
    db.session.execute(
        update(Mailbox)
        .where(Mailbox.id == mailbox_id)
        .values(**values, updated_at=Mailbox.updated_at)
        .execution_options(synchronize_session=False)
    )


def _now() -> datetime:
    now: datetime = db.session.execute(select(database_now())).scalar_one()
    return now
