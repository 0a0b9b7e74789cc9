"""Is everything in the store that should be, as it was put there? Every object is read as a stream and hashed.

Nothing is changed here, and no transaction is open while bytes move. Rows are read in pages: memory does not grow
with their number.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Select, func, literal, null, select

from app.extensions import db
from app.models import Greeting, Mailbox, Message, Prompt, Recording
from app.services import mailboxes, store_folder
from app.services.context import settings
from app.services.spool import wav_of
from app.storage import AudioSource, MissingObject, Store, StoreError, message_key, open_store, recording_key

PAGE = 200
Rows = Select[*tuple[Any, ...]]
# A store that failed so often in a row is away.
FAILURES = 3
# An object that no row names may have been put there a moment before its row.
SECOND_LOOK_SECONDS = 2.0


class State(StrEnum):
    """What is with something that the database names, or (UNKNOWN) does not name.

    SPOOL: its upload is still to come. GONE: it was deleted, or purged, while it was looked at.
    """

    GOOD = "good"
    SPOOL = "spool"
    GONE = "gone"
    MISSING = "missing"
    DAMAGED = "damaged"
    UNREADABLE = "unreadable"
    UNKNOWN = "unknown"


FAULTS = (State.MISSING, State.DAMAGED, State.UNREADABLE, State.UNKNOWN)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. what: message, greeting, prompt, recording (of a call) or object.

    said: a line, empty for a good one. host: whose spool holds it.
    """

    state: State
    what: str
    said: str = ""
    host: str = ""


class Away(Exception):
    """The store does not answer any more; the text says why, and what to do, in sentences."""

    def __init__(self, error: StoreError) -> None:
        advice = f" {error.advice.rstrip('.')}." if error.advice else ""
        super().__init__(f"{error}.{advice}")


@dataclass(frozen=True)
class _Row:
    """take_id: of its files in the spool, where it may still be there."""

    what: str
    id: str
    owner: str
    mailbox_id: str
    key: str | None
    size: int
    sha256: str
    host: str | None
    take_id: str | None = None

    @property
    def name(self) -> str:
        return f"{self.what} {self.id} of {self.owner}"


def mailbox_id_of(extension: str | None) -> str | None:
    """The mailbox to look at, None for all; NotFound."""
    found = mailboxes.get(extension).id if extension is not None else None
    db.session.rollback()
    return found


def count(mailbox_id: str | None) -> int:
    """How many things look() will come to, as it is now."""
    total = 0
    for query, _ in _queries(mailbox_id):
        total += db.session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    db.session.rollback()
    return total


def look(mailbox_id: str | None) -> Iterator[Finding]:
    """Each message, greeting, prompt and recording of a call, or only those of a mailbox. Away where the store is."""
    store = open_store(settings())
    failed: list[Finding] = []
    for row in _rows(mailbox_id):
        try:
            found = _look_at(store, row)
            if found.state is State.MISSING and row.key is not None and not store_folder.is_there(settings()):
                raise Away(store_folder.gone(settings()))
        except StoreError as error:
            failed.append(Finding(State.UNREADABLE, row.what, f"{row.name}: {error}"))
            if len(failed) >= FAILURES:
                raise Away(error) from error
            continue
        # Only those failed, not the store.
        yield from failed
        failed = []
        yield found
    yield from failed


def unknown(mailbox_id: str | None) -> Iterator[Finding]:
    """Objects that no row names. Away."""
    prefixes = [f"messages/{mailbox_id}/", f"greetings/{mailbox_id}/"]
    store = open_store(settings())
    try:
        for prefix in prefixes if mailbox_id else ("messages/", "greetings/", "prompts/", "recordings/"):
            keys = iter(store.list(prefix))
            while part := list(islice(keys, PAGE)):
                if not (strange := _unnamed(part)):
                    continue
                time.sleep(SECOND_LOOK_SECONDS)
                for key in _unnamed(strange):
                    if store.stat(key) is not None:
                        yield Finding(State.UNKNOWN, "object", f"{key}: nothing in the database names it")
    except StoreError as error:
        raise Away(error) from error


def _look_at(store: Store, row: _Row) -> Finding:
    if row.key is None:
        lost = row.host in (None, settings().host_name) and not wav_of(settings(), row.take_id or row.id).exists()
        if lost:
            return _unless_gone(row, State.MISSING, "is neither in the store nor in the spool of this host")
        return Finding(State.SPOOL, row.what, host=row.host or "")
    try:
        source = store.open(row.key)
        if source.size != row.size:
            return _unless_gone(row, State.DAMAGED, f"has {source.size} bytes in place of {row.size} ({row.key})")
        if _hash_of(source) != row.sha256:
            return _unless_gone(row, State.DAMAGED, f"has other bytes than were put there ({row.key})")
    except MissingObject:
        return _unless_gone(row, State.MISSING, f"is not in the store ({row.key})")
    return Finding(State.GOOD, row.what)


def _hash_of(source: AudioSource) -> str:
    digest = hashlib.sha256()
    for block in source.blocks():
        digest.update(block)
    return digest.hexdigest()


def _unless_gone(row: _Row, state: State, said: str) -> Finding:
    """The fault, where the row still says what it said before its object was looked at."""
    queries: dict[str, Rows] = {
        "message": select(Message.storage_key, Message.spool_host).where(Message.purged_at.is_(None)),
        "greeting": select(Greeting.storage_key, null()),
        "prompt": select(Prompt.storage_key, null()),
        "recording": select(Recording.storage_key, Recording.spool_host).where(Recording.purged_at.is_(None)),
    }
    columns = {"message": Message.id, "greeting": Greeting.id, "prompt": Prompt.id, "recording": Recording.sid}
    column = columns[row.what]
    now = db.session.execute(queries[row.what].where(column == row.id)).one_or_none()
    db.session.rollback()
    if now is None or tuple(now) != (row.key, row.host):
        return Finding(State.GONE, row.what)
    return Finding(state, row.what, f"{row.name} {said}")


def _rows(mailbox_id: str | None) -> Iterator[_Row]:
    for query, column in _queries(mailbox_id):
        last = ""
        while True:
            page = [_Row(*found) for found in db.session.execute(query.where(column > last).limit(PAGE))]
            db.session.rollback()
            yield from page
            if len(page) < PAGE:
                break
            last = page[-1].id


def _queries(mailbox_id: str | None) -> list[tuple[Rows, ColumnElement[str]]]:
    """Rows of each table, and the column that they are ordered by."""
    box = literal("mailbox ") + Mailbox.extension
    messages = (
        select(
            literal("message"), Message.id, box, Message.mailbox_id, Message.storage_key, Message.size,
            Message.sha256, Message.spool_host,
        )
        .join(Mailbox, Mailbox.id == Message.mailbox_id)
        .where(Message.purged_at.is_(None))
        .order_by(Message.id)
    )  # fmt: skip
    greetings = (
        select(
            literal("greeting"), Greeting.id, box, Greeting.mailbox_id, Greeting.storage_key, Greeting.size,
            Greeting.sha256, null(),
        )
        .join(Mailbox, Mailbox.id == Greeting.mailbox_id)
        .order_by(Greeting.id)
    )  # fmt: skip
    if mailbox_id is not None:
        return [
            (messages.where(Message.mailbox_id == mailbox_id), Message.id.expression),
            (greetings.where(Greeting.mailbox_id == mailbox_id), Greeting.id.expression),
        ]
    name = Prompt.language + "/" + Prompt.name
    prompts = select(
        literal("prompt"), Prompt.id, name, literal(""), Prompt.storage_key, Prompt.size, Prompt.sha256, null()
    ).order_by(Prompt.id)
    return [
        (messages, Message.id.expression),
        (greetings, Greeting.id.expression),
        (prompts, Prompt.id.expression),
        (_recordings(), Recording.sid.expression),
    ]


def _recordings() -> Rows:
    return (
        select(
            literal("recording"), Recording.sid, literal("call ") + Recording.call_sid, literal(""),
            Recording.storage_key, Recording.size, Recording.sha256, Recording.spool_host, Recording.take_id,
        )
        .where(Recording.purged_at.is_(None))
        .order_by(Recording.sid)
    )  # fmt: skip


def _unnamed(keys: Iterable[str]) -> list[str]:
    """Those that no row names. An upload puts its object there before the row says so."""
    wanted = list(keys)
    ids = {key.rpartition("/")[2].removesuffix(".wav"): key for key in wanted if key.startswith("messages/")}
    named: set[str] = set()
    for column in (Message.storage_key, Greeting.storage_key, Prompt.storage_key, Recording.storage_key):
        named.update(key for key in db.session.scalars(select(column).where(column.in_(wanted))) if key)
    coming = select(Message.id, Message.mailbox_id).where(Message.id.in_(ids), Message.spool_host.is_not(None))
    named.update(message_key(mailbox_id, message_id) for message_id, mailbox_id in db.session.execute(coming))
    sids = [key.removeprefix("recordings/").removesuffix(".wav") for key in wanted if key.startswith("recordings/")]
    on_their_way = select(Recording.sid).where(Recording.sid.in_(sids), Recording.spool_host.is_not(None))
    named.update(recording_key(sid) for sid in db.session.scalars(on_their_way))
    db.session.rollback()
    return [key for key in wanted if key not in named]
