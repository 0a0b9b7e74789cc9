"""A door from the voice side to the application: what an owner's call asks of it (voice/owner.py).

It runs in the keeper process. Arguments are what JSON can carry, answers the values of voice/owner.py.
"""

from __future__ import annotations

import logging
import math
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from app.config import Settings
from app.errors import AppError, Invalid, NotFound, Unavailable
from app.extensions import db
from app.models import Greeting, Mailbox, Message
from app.models.message import DISCARDED
from app.services import greetings, mailboxes, messages, owner_messages, phone_access, quota, subscriptions
from app.storage import StoreError
from voice import menu_recordings
from voice.copies import fill_copy, is_safe, own_copy
from voice.errors import SpoolError
from voice.mailbox import MessageCounts
from voice.owner import (
    Arrival,
    Audio,
    Forwarded,
    GreetingChange,
    GreetingFacts,
    GreetingKind,
    MessageFacts,
    Messages,
    Opened,
    PinChange,
    Recipient,
    Sound,
)
from voice.sound_cache import SoundCache
from voice.store import Store

log = logging.getLogger(__name__)
# Some hours of messages; what an owner has listened to is not kept beside the worker for longer than an hour.
CACHED_BYTES = 200_000_000
CACHED_SECONDS = 3600.0
BATCH = 500
ACTOR = "phone"


class OwnerStore:
    """Answers the requests of owners' calls; each method is one of voice.owner.OwnerRequests."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings, self._store = settings, store
        self._sounds = SoundCache(settings.instance / "voice" / "messages")

    def answer(self, name: str, arguments: dict[str, Any], until: float = math.inf) -> Any:
        """The answer to a request by its name; ValueError for one that there is not.

        until: the monotonic time when whoever asks gives up: what would then be asked again is not begun.
        """
        if name not in REQUESTS:
            raise ValueError(f"unknown request {name!r}")
        if name == "forward":
            arguments = arguments | {"until": until}
        with self._store.context():
            return getattr(self, name)(**arguments)

    def tidy(self) -> None:
        """Remove the audio of messages that nobody listens to now, that of purged ones, and what calls left behind."""
        menu_recordings.sweep(menu_recordings.folder_of(self._settings.instance))
        self._sounds.shrink(CACHED_BYTES, CACHED_SECONDS)
        names = self._sounds.names()
        with self._store.context():
            for start in range(0, len(names), BATCH):
                part = Message.id.in_(names[start : start + BATCH])
                for message_id in db.session.scalars(select(Message.id).where(part, Message.purged_at.is_not(None))):
                    self._sounds.remove(message_id)

    def log_in(self, extension: str, pin: str, source: str) -> Opened | None:
        box = phone_access.log_in(extension, pin, source)
        return self._opened(box) if box else None

    def open_own(self, extension: str) -> Opened | None:
        box = phone_access.open_own(extension)
        return self._opened(box) if box else None

    def counts(self, mailbox_id: str) -> MessageCounts | None:
        found = subscriptions.counts([mailbox_id])
        return MessageCounts(**vars(found[0])) if found else None

    def message_ids(self, mailbox_id: str, which: str, after: str = "") -> tuple[str, ...]:
        return tuple(owner_messages.ids(mailbox_id, Messages(which).value, after))

    def message(self, mailbox_id: str, message_id: str) -> MessageFacts | None:
        found = _message(mailbox_id, message_id)
        if found is None:
            return None
        return MessageFacts(
            id=found.id,
            caller_number=found.caller_number,
            caller_name=found.caller_name,
            received_at=found.received_at,
            duration=found.duration,
            state=Messages(found.state),
            urgent=found.urgent,
            deleted=found.deleted_at is not None,
            forwarded_by=found.forwarded_by or "",
        )

    def audio(self, mailbox_id: str, message_id: str) -> Audio:
        found = _message(mailbox_id, message_id)
        return self._audio(found) if found else Audio(Sound.GONE)

    def save(self, mailbox_id: str, message_id: str) -> bool:
        return owner_messages.save(mailbox_id, message_id)

    def delete(self, mailbox_id: str, message_id: str) -> bool:
        return owner_messages.delete(mailbox_id, message_id)

    def undelete(self, mailbox_id: str, message_id: str) -> bool:
        return owner_messages.undelete(mailbox_id, message_id)

    def delete_saved(self, mailbox_id: str) -> tuple[str, ...]:
        return tuple(owner_messages.delete_saved(mailbox_id))

    def recipient(self, extension: str) -> Recipient | None:
        box = mailboxes.find([extension])
        if box is None:
            return None
        name = next((item for item in box.greetings if item.kind == GreetingKind.NAME), None)
        return Recipient(box.extension, self._greeting(name).path if name else None)

    def forward(self, mailbox_id: str, message_id: str, extension: str, until: float = math.inf) -> Forwarded:
        found = owner_messages.to_forward(mailbox_id, message_id, extension)
        if isinstance(found, owner_messages.Refusal):
            return Forwarded(found.value)
        if owner_messages.forwarded_just_now(found) or is_safe(self._settings.spool_dir, found.copy_id):
            # The answer to the same wish came too late, so it is asked again; its message may still have to follow.
            return Forwarded.DONE
        audio = self._audio(found.message)
        if audio.path is None or time.monotonic() > until:
            return Forwarded.AWAY
        try:
            return self._copy(found, audio.path)
        except (SpoolError, OSError) as error:
            log.error("message=%s cannot be forwarded: %s", message_id, error)
            return Forwarded.AWAY

    def pin_is(self, mailbox_id: str, pin: str, source: str) -> bool | None:
        return phone_access.pin_is(mailbox_id, pin, source)

    def change_pin(self, mailbox_id: str, old: str, new: str, source: str) -> PinChange:
        outcome = phone_access.change_pin(mailbox_id, old, new, source)
        # A PIN from a telephone has digits only, or none at all.
        return PinChange.TOO_SHORT if outcome == "digits" else PinChange(outcome.value)

    def greeting(self, mailbox_id: str, kind: str) -> GreetingFacts | None:
        query = select(Greeting).where(Greeting.mailbox_id == mailbox_id, Greeting.kind == GreetingKind(kind).value)
        found = db.session.scalar(query)
        return GreetingFacts(GreetingKind(kind), self._greeting(found), found.ends_at) if found else None

    def set_greeting(self, mailbox_id: str, kind: str, recording: str, days: int | None = None) -> GreetingChange:
        box = _living(mailbox_id)
        if box is None:
            return GreetingChange.GONE
        ends_at = _midnight_after(days, box.timezone) if days and kind == GreetingKind.TEMPORARY else None
        try:
            with Path(recording).open("rb") as file:
                greetings.set_greeting(box.extension, file, kind=GreetingKind(kind).value, ends_at=ends_at, actor=ACTOR)
        except (Invalid, FileNotFoundError) as error:
            log.error("mailbox=%s its greeting cannot be taken: %s", mailbox_id, error)
            return GreetingChange.BROKEN
        except NotFound:
            return GreetingChange.GONE
        except Unavailable:
            return GreetingChange.AWAY
        return GreetingChange.DONE

    def remove_greeting(self, mailbox_id: str, kind: str) -> bool:
        box = _living(mailbox_id)
        try:
            return box is not None and greetings.remove_greeting(box.extension, GreetingKind(kind).value, actor=ACTOR)
        except NotFound:
            return False

    def arrived(self, mailbox_id: str, marker: str) -> Arrival:
        ids, now = owner_messages.arrived(mailbox_id, marker)
        return Arrival(tuple(ids), now)

    def _opened(self, box: Mailbox) -> Opened:
        phone, rules = self._settings.phone, self._settings.pin
        # Before anything else is read: what arrives from now on is told as an arrival.
        marker = owner_messages.marker(box.id)
        used = quota.of(box)
        return Opened(
            mailbox_id=box.id,
            extension=box.extension,
            language=box.language,
            timezone=box.timezone,
            envelope=phone.speaks_envelope if box.speaks_envelope is None else box.speaks_envelope,
            operator=phone.operator if box.operator is None else box.operator,
            pin_shortest=rules.minimum_length,
            pin_longest=rules.maximum_length,
            nearly_full=used.nearly_full,
            full=used.full,
            marker=marker,
            silence_timeout=box.silence_timeout,
            min_speech=box.min_speech,
        )

    def _audio(self, message: Message) -> Audio:
        def open_source() -> Any:
            # The connection to the database is not held while bytes come from a store that may be slow.
            source = messages.open_audio(message)
            db.session.rollback()
            return source

        return self._sound(self._sounds, message.id, message.sha256, open_source, f"message={message.id}")

    def _greeting(self, greeting: Greeting) -> Audio:
        return self._sound(
            self._store.greetings,
            greeting.sha256,
            greeting.sha256,
            lambda: greetings.open_greeting(greeting),
            f"greeting={greeting.id}",
        )

    def _sound(self, cache: SoundCache, name: str, sha256: str, open_source: Any, what: str) -> Audio:
        try:
            return Audio(Sound.READY, cache.fetch(name, sha256, open_source))
        except NotFound:
            return Audio(Sound.GONE)
        except ValueError as error:
            log.error("%s is broken: %s", what, error)
            return Audio(Sound.BROKEN)
        except (AppError, StoreError, OSError) as error:
            log.warning("%s cannot be had now: %s", what, error)
            return Audio(Sound.AWAY)

    def _copy(self, forwarding: owner_messages.Forwarding, audio: Path) -> Forwarded:
        """A take of its own from here on: it is safe in the spool, and becomes a message like any other."""
        message, folder = forwarding.message, self._settings.spool_dir
        duration, size, sha256 = message.duration, message.size, message.sha256
        with own_copy(
            folder,
            forwarding.copy_id,
            audio,
            mailbox_id=forwarding.mailbox_id,
            extension=forwarding.extension,
            caller_number=message.caller_number,
            caller_name=message.caller_name,
            call_id=message.call_id,
            urgent=message.urgent,
            forwarded_from=message.id,
            forwarded_by=forwarding.by,
        ) as entry:
            # The connection to the database is not held while a disk may be slow.
            db.session.rollback()
            if entry is None:
                # The same wish is at work elsewhere: nobody is told that it is done before its copy is safe.
                return Forwarded.DONE if is_safe(folder, forwarding.copy_id) else Forwarded.AWAY
            fill_copy(entry, audio, duration=duration, size=size, sha256=sha256)
            try:
                self._store.save(entry.id)
            except (SQLAlchemyError, SpoolError) as error:
                # It is safe: the reconciler makes the message.
                log.error("take=%s is in the spool, its commit follows: %s", entry.id, error)
        return Forwarded.DONE


REQUESTS = frozenset(
    (
        "log_in", "open_own", "counts", "message_ids", "message", "audio", "save", "delete", "undelete", "delete_saved",
        "recipient", "forward", "pin_is", "change_pin", "greeting", "set_greeting", "remove_greeting", "arrived",
    )
)  # fmt: skip


def _message(mailbox_id: str, message_id: str) -> Message | None:
    try:
        found = messages.get(message_id, mailbox_id=mailbox_id)
    except NotFound:
        return None
    return None if found.state == DISCARDED else found


def _living(mailbox_id: str) -> Mailbox | None:
    box = db.session.get(Mailbox, mailbox_id)
    return box if box is not None and box.live_extension is not None else None


def _midnight_after(days: int, timezone: str) -> datetime:
    """The end of the day that is so many days away: 1 is the end of tomorrow."""
    zone = ZoneInfo(timezone)
    day = datetime.now(zone).date() + timedelta(days=days + 1)
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
