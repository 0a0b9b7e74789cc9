"""Mailboxes: create, find, change, delete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy import delete as sql_delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import selectinload

from app.database import writing
from app.errors import Invalid, NotFound, Replaced
from app.extensions import db
from app.models import Alias, Mailbox, Message, Number, Webhook
from app.models.base import database_now
from app.models.message import NEW, SAVED
from app.services import audit, events, fields, mailbox_options, pins
from app.services.context import settings
from app.services.inbox import touch
from app.services.mailbox_options import Options
from app.services.seen import ANYTHING, Seen, version_of

TAKEN = "A mailbox with this extension exists already."
IS_PIN = "This is the mailbox's PIN, which must not be its extension; reset the PIN first."
MAX_PER_PAGE = 200


@dataclass(frozen=True)
class MailboxRow:
    """A line of the list: the mailbox and what is in it."""

    mailbox: Mailbox
    new_count: int
    saved_count: int
    has_greeting: bool
    last_message_at: datetime | None


@dataclass(frozen=True)
class Page:
    """A part of the list. page: from 1; pages: at least 1; total: mailboxes that match."""

    items: list[MailboxRow]
    page: int
    pages: int
    total: int


def create(
    extension: str,
    *,
    pin: str,
    name: str = "",
    email: str = "",
    language: str = "",
    timezone: str = "",
    options: Options | None = None,
    actor: str,
) -> Mailbox:
    """A new mailbox; language and zone are those of the settings unless given. Invalid."""
    options = options or Options()
    with fields.checked() as form:
        extension = form.check("extension", fields.extension, extension) or ""
        values = _details(form, name, email, language, timezone) | mailbox_options.checked(form, options)
        aliases = mailbox_options.checked_aliases(form, options, extension)
        _check_mailing(form, values)
        form.say("pin", pins.problem_of(pin, extension))
        if extension and _living(extension) is not None:
            form.say("extension", TAKEN)
    pin_hash = pins.hash_secret(pin)
    box = Mailbox(extension=extension, live_extension=extension, pin_hash=pin_hash, **values)
    try:
        with writing():
            db.session.add(box)
            db.session.flush()
            mailbox_options.set_numbers(box, aliases)
            audit.record(actor, "mailbox.create", box.id, extension)
    except IntegrityError:
        # Two people, one extension, the same moment.
        raise Invalid({"extension": TAKEN}) from None
    return box


def find(numbers: Sequence[str]) -> Mailbox | None:
    """The living mailbox that the first of these numbers leads to, as its extension or as an alias."""
    wanted = [number for number in dict.fromkeys(numbers) if fields.is_extension(number)]
    if not wanted:
        return None
    found = {
        box.extension: box for box in db.session.scalars(select(Mailbox).where(Mailbox.live_extension.in_(wanted)))
    }
    leads = select(Alias.number, Mailbox).join(Mailbox, Mailbox.id == Alias.mailbox_id)
    for number, box in db.session.execute(leads.where(Alias.number.in_(wanted), Mailbox.live_extension.is_not(None))):
        found.setdefault(number, box)
    return next((found[number] for number in wanted if number in found), None)


def get(extension: str, *, locked: bool = False, seen: Seen = ANYTHING) -> Mailbox:
    """The living mailbox of an extension; NotFound. locked: nobody else changes it until this transaction ends.

    seen: Replaced where the mailbox of its id does not have this extension any more.
    """
    box = _living(extension, locked)
    if seen.id and (box is None or box.id != seen.id):
        raise Replaced(_what_became_of(seen.id, extension, box))
    if box is None:
        raise NotFound(f"There is no mailbox {extension[:20]}.")
    return box


def version(box: Mailbox) -> str:
    """Differs as soon as something changes that the form of a mailbox shows."""
    details = (box.extension, box.name, box.email, box.language, box.timezone)
    return version_of(*details, *astuple(Options.of(box)))


def update(
    extension: str,
    *,
    name: str,
    email: str,
    language: str,
    timezone: str,
    new_extension: str | None = None,
    options: Options | None = None,
    seen: Seen = ANYTHING,
    actor: str,
) -> Mailbox:
    """Change a mailbox; its extension and what it does on the phone where those are given. Invalid, NotFound.

    seen: what it was when somebody decided this; Replaced, Changed.
    """
    aliases: list[str] | None = None
    box = get(extension, seen=seen)
    pin_hash, mailing = box.pin_hash, {name: getattr(box, name) for name in ("mail_attachment", "after_mailing")}
    with fields.checked() as form:
        wanted = form.check("extension", fields.extension, extension if new_extension is None else new_extension)
        if wanted not in (None, extension) and pins.verify(pin_hash, wanted):
            form.say("extension", IS_PIN)
        values = _details(form, name, email, language, timezone)
        if options is not None:
            values |= mailbox_options.checked(form, options)
            aliases = mailbox_options.checked_aliases(form, options, wanted or "")
        _check_mailing(form, mailing | values)
    try:
        with writing():
            box = get(extension, locked=True, seen=seen)
            before = version(box)
            if wanted != box.extension and _living(wanted) is not None:
                raise Invalid({"extension": TAKEN})
            for key, value in values.items():
                setattr(box, key, value)
            moved = box.extension != wanted
            box.extension = box.live_extension = wanted
            db.session.flush()
            if moved:
                # A lamp that a PBX switched by the old extension goes out, that of the new one may go on.
                touch(box.id)
            mailbox_options.set_numbers(box, aliases)
            db.session.expire(box, ["aliases"])
            seen.check("This mailbox", before, version(box))
            audit.record(actor, "mailbox.update", box.id, wanted)
    except IntegrityError:
        raise Invalid({"extension": TAKEN}) from None
    return box


def reset_pin(extension: str, pin: str, *, seen: Seen = ANYTHING, actor: str) -> None:
    """Give a mailbox another PIN; Invalid, NotFound, Replaced."""
    get(extension, seen=seen)
    if problem := pins.problem_of(pin, extension):
        raise Invalid({"pin": problem})
    pin_hash = pins.hash_secret(pin)
    with writing():
        box = get(extension, locked=True, seen=seen)
        box.pin_hash = pin_hash
        events.record(events.PIN_CHANGED, box.id)
        audit.record(actor, "mailbox.reset_pin", box.id, extension)


def delete(extension: str, *, confirm: str, seen: Seen = ANYTHING, actor: str) -> None:
    """Delete a mailbox whose extension was typed to confirm it; Invalid, NotFound, Replaced.

    The extension is free again; a new mailbox of the same number does not get the old messages.
    """
    get(extension, seen=seen)
    if confirm.strip() != extension:
        raise Invalid({"confirm": f"Type {extension} to delete this mailbox."})
    with writing():
        box = get(extension, locked=True, seen=seen)
        # The database's clock, as all that the sweep goes by.
        box.live_extension, box.deleted_at = None, db.session.scalar(select(database_now()))
        db.session.flush()
        touch(box.id)
        mailbox_options.free_numbers(box.id)
        db.session.execute(sql_delete(Number).where(Number.mailbox_id == box.id))
        # Its address and secrets are of no more use.
        db.session.execute(sql_delete(Webhook).where(Webhook.scope == box.id))
        audit.record(actor, "mailbox.delete", box.id, extension)


def page(search: str = "", page: int = 1, per_page: int = 25) -> Page:
    """Living mailboxes whose extension, name or e-mail contains the text, by extension as people count."""
    matching = [Mailbox.live_extension.is_not(None), *_matches(fields.searchable(search))]
    total = db.session.scalar(select(func.count()).select_from(Mailbox).where(*matching)) or 0
    per_page = max(1, min(per_page, MAX_PER_PAGE))
    pages = max(1, -(-total // per_page))
    page = max(1, min(page, pages))
    query = (
        select(Mailbox)
        .where(*matching)
        .options(selectinload(Mailbox.greetings))
        .order_by(func.length(Mailbox.extension), Mailbox.extension)
        .limit(per_page)
        .offset((page - 1) * per_page)
    )
    boxes = list(db.session.scalars(query))
    counts = _counts([box.id for box in boxes])
    return Page([_row(box, counts) for box in boxes], page, pages, total)


def counts_of(box: Mailbox) -> MailboxRow:
    """The list's line of one mailbox."""
    return _row(box, _counts([box.id]))


def _row(box: Mailbox, counts: dict[str, tuple[int, int, datetime | None]]) -> MailboxRow:
    new, saved, last = counts.get(box.id, (0, 0, None))
    return MailboxRow(box, new, saved, bool(box.greetings), last)


def _counts(mailbox_ids: list[str]) -> dict[str, tuple[int, int, datetime | None]]:
    """New and saved messages and the time of the last one, of all these mailboxes in one query."""

    def count(state: str) -> ColumnElement[int]:
        return func.sum(case((Message.state == state, 1), else_=0))

    query = (
        select(Message.mailbox_id, count(NEW), count(SAVED), func.max(Message.received_at))
        .where(Message.mailbox_id.in_(mailbox_ids), Message.state.in_((NEW, SAVED)))
        .where(Message.deleted_at.is_(None), Message.purged_at.is_(None))
        .group_by(Message.mailbox_id)
    )
    return {row[0]: (int(row[1] or 0), int(row[2] or 0), row[3]) for row in db.session.execute(query)}


def _matches(search: str) -> list[ColumnElement[bool]]:
    if not search:
        return []
    return [
        or_(
            Mailbox.extension.contains(search, autoescape=True),
            func.lower(Mailbox.name).contains(search.lower(), autoescape=True),
            func.lower(Mailbox.email).contains(search.lower(), autoescape=True),
        )
    ]


def _details(form: fields.Fields, name: str, email: str, language: str, timezone: str) -> dict[str, Any]:
    return {
        "name": form.check("name", fields.name, name),
        "email": form.check("email", fields.emails, email),
        "language": form.check("language", fields.language, language or settings().language),
        "timezone": form.check("timezone", fields.timezone, timezone or settings().timezone),
    }


def _check_mailing(form: fields.Fields, values: dict[str, Any]) -> None:
    mailbox_options.check_mailing(form, values["email"], values["mail_attachment"], values["after_mailing"])


def _living(extension: str, locked: bool = False) -> Mailbox | None:
    if not fields.is_extension(extension):
        return None
    query = select(Mailbox).where(Mailbox.live_extension == extension)
    return db.session.scalar(query.with_for_update() if locked else query)


def _what_became_of(mailbox_id: str, extension: str, now_there: Mailbox | None) -> str:
    """Why an act on a mailbox is refused that does not have this extension any more."""
    query = select(Mailbox.live_extension).where(Mailbox.id == mailbox_id)
    moved_to = db.session.scalar(query) if fields.is_id(mailbox_id) else None
    became = f"has the extension {moved_to} now" if moved_to else "has been deleted"
    another = f", and {extension} is another mailbox" if now_there is not None else ""
    advice = f"Open mailbox {moved_to} and do it there." if moved_to else "Go back to the list of mailboxes."
    return f"The mailbox that you opened as {extension} {became}{another}. Nothing is done. {advice}"
