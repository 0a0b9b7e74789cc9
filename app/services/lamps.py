"""Lamps by device: which of them are behind, who may tell a PBX, what each was told, and all of it anew on demand.

A mailbox's flag (mwi_dirty) says that some lamp may not show its version yet; Redis only makes it quick. Each voice
worker looks after the phones that subscribed at it. A PBX is told by the worker that claims the mailbox.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, case, delete, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from app.database import writing
from app.extensions import db
from app.models import Lamp, Mailbox
from app.models.base import database_now
from app.models.lamp import PBX, SUBSCRIPTION
from app.services import audit, inbox, mailboxes, subscriptions
from app.services.subscriptions import Counts, digest

# Longer than a NOTIFY and its answers to challenges take (timer F, 32 s each).
CLAIM_SECONDS = 90
# Whoever told a PBX last may go on at once; others wait, so that it hears of a mailbox once a second at most.
PACE_SECONDS = 1
REPEATS_UNTIL_EXPIRED = 3
GRACE_SECONDS = 60
AT_ONCE = 200
EXTENSION = "{extension}"


@dataclass(frozen=True)
class Pbx:
    """A PBX that is told without a subscription.

    target: the URI of a mailbox there, with {extension}; refresh: seconds after which it is told again; uptime: seconds
    that the worker runs, since it tells all anew after its start.
    """

    target: str
    refresh: float
    uptime: float


@dataclass(frozen=True)
class Claimed:
    """What a PBX is to be told now: counts for a URI there. key: of the row; over: the lamp is to go out for good."""

    key: str
    uri: str
    counts: Counts
    over: bool = False


@dataclass(frozen=True)
class Told:
    """What came of a NOTIFY. version: that the device knows of now, None: of none newer than before.

    key: of a row that was claimed, or the dialog of a subscription; remaining: seconds until the row says nothing more.
    """

    key: str
    kind: str
    counts: Counts
    answer: str
    works: bool
    version: int | None
    remaining: float
    device: str = ""
    over: bool = False


@dataclass(frozen=True)
class Owed:
    """Mailboxes whose lamps are behind: of subscriptions at a worker, and at its PBX, those that changed first."""

    subscribed: list[str]
    at_pbx: list[str]


@dataclass(frozen=True)
class _Row:
    """Of a lamp what is needed after the commit."""

    key: str
    mailbox_id: str
    extension: str


def owed(worker: str, pbx: Pbx | None, limit: int) -> Owed:
    """What a worker (HOST:PORT) is to look after, whether it heard of it or not. limit: of mailboxes at the PBX."""
    behind = select(Lamp.mailbox_id).join(Mailbox, Mailbox.id == Lamp.mailbox_id)
    behind = behind.where(Mailbox.mwi_dirty, Lamp.version < Mailbox.mwi_version)
    behind = behind.where(Lamp.host == worker, Lamp.kind == SUBSCRIPTION).distinct().limit(AT_ONCE)
    subscribed = list(db.session.scalars(behind))
    at_pbx = _owed_at_pbx(worker, pbx, limit) if pbx else []
    db.session.rollback()
    return Owed(subscribed, at_pbx)


def _owed_at_pbx(worker: str, pbx: Pbx, limit: int) -> list[str]:
    now = db.session.execute(select(database_now())).scalar_one()
    free = or_(Lamp.claimed_until.is_(None), Lamp.claimed_until < now, Lamp.claimed_by == worker)
    of_it = and_(Lamp.mailbox_id == Mailbox.id, Lamp.target == pbx.target, Lamp.extension == Mailbox.extension)
    behind = or_(Lamp.key.is_(None), Lamp.version < Mailbox.mwi_version)
    query = select(Mailbox.id).outerjoin(Lamp, of_it).where(Mailbox.live_extension.is_not(None))
    query = query.where(or_(Lamp.key.is_(None), and_(free, or_(behind, _is_due(pbx, now)))))
    query = query.order_by(case((and_(Mailbox.mwi_dirty, behind), 0), else_=1), Lamp.sent_at).limit(limit)
    found = list(db.session.scalars(query))
    over = select(Lamp.mailbox_id).join(Mailbox, Mailbox.id == Lamp.mailbox_id)
    over = over.where(Lamp.target == pbx.target, free, ~_is_current()).distinct().limit(limit)
    return list(dict.fromkeys([*found, *db.session.scalars(over)]))


def _is_due(pbx: Pbx, now: datetime) -> ColumnElement[bool]:
    return or_(Lamp.sent_at.is_(None), Lamp.sent_at < now - timedelta(seconds=min(pbx.refresh, pbx.uptime)))


def _is_current() -> ColumnElement[bool]:
    """The lamp is that of the extension which its mailbox has now."""
    return and_(Mailbox.live_extension.is_not(None), Mailbox.live_extension == Lamp.extension)


def claim(worker: str, pbx: Pbx, mailbox_ids: Iterable[str]) -> list[Claimed]:
    """What this worker is to tell the PBX of these mailboxes; nothing of those that it knows of or another one tells.

    A claim ends with save(), or after CLAIM_SECONDS where the worker died.
    """
    ids = list(mailbox_ids)
    boxes = {box.id: box for box in db.session.scalars(select(Mailbox).where(Mailbox.id.in_(ids)))}
    keys = {_key(pbx.target, box.id, box.live_extension): box for box in boxes.values() if box.live_extension}
    known = set(db.session.scalars(select(Lamp.key).where(Lamp.key.in_(keys))))
    missing = [(key, box.id, str(box.live_extension)) for key, box in keys.items() if key not in known]
    with writing():
        for key, mailbox_id, extension in missing:
            _add(key, mailbox_id, extension, pbx.target)
        won = _win(worker, pbx, ids)
    # Counted after the claim was committed: what changes from now on, somebody claims anew.
    found = {counts.mailbox_id: counts for counts in subscriptions.counts({lamp.mailbox_id for lamp in won})}
    living = {counts.extension for counts in found.values()} | _taken({lamp.extension for lamp in won})
    claimed = []
    for lamp in won:
        counts = found.get(lamp.mailbox_id)
        uri = pbx.target.replace(EXTENSION, lamp.extension)
        if counts is not None and counts.extension == lamp.extension:
            claimed.append(Claimed(lamp.key, uri, counts))
        elif lamp.extension in living:
            # The extension is another mailbox's now, whose lamp it is.
            _drop(lamp.key)
        else:
            claimed.append(Claimed(lamp.key, uri, Counts(lamp.mailbox_id, lamp.extension), over=True))
    return claimed


def _win(worker: str, pbx: Pbx, mailbox_ids: list[str]) -> list[_Row]:
    """Claim the rows of these mailboxes that are behind or due, in the transaction that is open."""
    now = db.session.execute(select(database_now())).scalar_one()
    wanted = or_(Lamp.version < Mailbox.mwi_version, _is_due(pbx, now), ~_is_current())
    query = select(Lamp).join(Mailbox, Mailbox.id == Lamp.mailbox_id)
    query = query.where(Lamp.mailbox_id.in_(mailbox_ids), Lamp.target == pbx.target, wanted).order_by(Lamp.key)
    free = or_(Lamp.claimed_until.is_(None), Lamp.claimed_until < now, Lamp.claimed_by == worker)
    paced = or_(Lamp.host == worker, Lamp.sent_at.is_(None), Lamp.sent_at < now - timedelta(seconds=PACE_SECONDS))
    won = []
    for lamp in db.session.scalars(query).all():
        taken = update(Lamp).where(Lamp.key == lamp.key, free, paced)
        taken = taken.values(claimed_by=worker, claimed_until=now + timedelta(seconds=CLAIM_SECONDS))
        if db.session.execute(taken.execution_options(synchronize_session=False)).rowcount:  # type: ignore[attr-defined]
            won.append(_Row(lamp.key, lamp.mailbox_id, lamp.extension))
    return won


def _add(key: str, mailbox_id: str, extension: str, target: str) -> None:
    try:
        with db.session.begin_nested():
            uri = target.replace(EXTENSION, extension)
            db.session.add(
                Lamp(key=key, mailbox_id=mailbox_id, kind=PBX, device=uri, target=target, extension=extension)
            )
    except IntegrityError:
        # Another worker was faster, or the mailbox is gone.
        pass


def _taken(extensions: set[str]) -> set[str]:
    query = select(Mailbox.live_extension).where(Mailbox.live_extension.in_(extensions))
    return {extension for extension in db.session.scalars(query) if extension}


def _drop(key: str) -> None:
    with writing():
        db.session.execute(delete(Lamp).where(Lamp.key == key))


def save(worker: str, told: Iterable[Told]) -> None:
    """Write down what devices were told, and end claims; the flag of a mailbox whose lamps all know of it goes."""
    rows = list(told)
    with writing():
        now = db.session.execute(select(database_now())).scalar_one()
        for one in rows:
            try:
                with db.session.begin_nested():
                    _save(worker, one, now)
            except IntegrityError:
                # Its mailbox was purged meanwhile.
                pass
    settle({one.counts.mailbox_id for one in rows})


def _save(worker: str, one: Told, now: datetime) -> None:
    key = one.key if one.kind == PBX else digest(one.key)
    lamp = db.session.get(Lamp, key)
    if one.over and one.version is not None:
        if lamp is not None:
            db.session.delete(lamp)
        return
    if lamp is None:
        if one.kind == PBX:
            return
        lamp = Lamp(key=key, mailbox_id=one.counts.mailbox_id, kind=one.kind)
        db.session.add(lamp)
    lamp.host, lamp.device = worker, _printable(one.device, 255) or lamp.device
    lamp.new_count, lamp.saved_count = one.counts.new, one.counts.saved
    lamp.urgent_new, lamp.urgent_saved = one.counts.urgent_new, one.counts.urgent_saved
    lamp.answer, lamp.works, lamp.sent_at = _printable(one.answer, 200), one.works, now
    lamp.expires_at = now + timedelta(seconds=one.remaining)
    if lamp.claimed_by == worker:
        lamp.claimed_by = lamp.claimed_until = None
    if one.version is not None:
        lamp.version = one.version
    db.session.flush()


def settle(mailbox_ids: Iterable[str] | None = None) -> None:
    """Take the flag from mailboxes of which every lamp knows their version; of all, and drop rows that expired."""
    now = db.session.execute(select(database_now())).scalar_one()
    alive = or_(Lamp.expires_at.is_(None), Lamp.expires_at > now)
    behind = exists().where(Lamp.mailbox_id == Mailbox.id, Lamp.version < Mailbox.mwi_version, alive)
    query = select(Mailbox.id, Mailbox.mwi_version).where(Mailbox.mwi_dirty, ~behind).order_by(Mailbox.id)
    if mailbox_ids is not None:
        query = query.where(Mailbox.id.in_(list(mailbox_ids)))
    settled = [tuple(row) for row in db.session.execute(query.limit(AT_ONCE))]
    expired: list[str] = []
    if mailbox_ids is None:
        long_ago = now - timedelta(seconds=GRACE_SECONDS)
        expired = list(db.session.scalars(select(Lamp.key).where(Lamp.expires_at < long_ago).limit(AT_ONCE)))
    db.session.rollback()
    if not settled and not expired:
        return
    with writing():
        for mailbox_id, version in settled:
            # Only of the version that was seen: what came since is owed.
            change = update(Mailbox).where(Mailbox.id == mailbox_id, Mailbox.mwi_version == version)
            change = change.values(mwi_dirty=False, updated_at=Mailbox.updated_at)
            db.session.execute(change.execution_options(synchronize_session=False))
        if expired:
            db.session.execute(delete(Lamp).where(Lamp.key.in_(expired), Lamp.expires_at < now))


def of_mailbox(mailbox_id: str) -> list[Lamp]:
    """The lamps of a mailbox that still say something, PBXs first."""
    now = db.session.execute(select(database_now())).scalar_one()
    query = select(Lamp).where(Lamp.mailbox_id == mailbox_id, Lamp.sent_at.is_not(None))
    query = query.where(or_(Lamp.expires_at.is_(None), Lamp.expires_at > now))
    return list(db.session.scalars(query.order_by(Lamp.kind, func.lower(Lamp.device), Lamp.key)))


def resync(extension: str, *, actor: str) -> bool:
    """Have the counts of a mailbox sent anew to all its lamps; NotFound. False where Redis is away: within seconds."""
    with writing():
        box = mailboxes.get(extension)
        inbox.touch(box.id)
        audit.record(actor, "mailbox.resync", box.id, extension)
        mailbox_id = box.id
    # touch() has said it already; this says whether anybody could hear it.
    return inbox.tell_lamps(mailbox_id)


def _key(target: str, mailbox_id: str, extension: str | None) -> str:
    return digest(f"{target}\n{mailbox_id}\n{extension}")


def _printable(text: str, longest: int) -> str:
    return "".join(character if character.isprintable() else "\ufffd" for character in text)[:longest]


def told_of(plain: dict[str, Any]) -> Told:
    """A Told as it comes from the voice worker, as JSON."""
    return Told(**(plain | {"counts": Counts(**plain["counts"])}))
