"""What answers calls by documents: numbers, mailboxes' own documents, and which of them answers a call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from dataclasses import fields as fields_of

from sqlalchemy import func, or_, select
from sqlalchemy.exc import IntegrityError

from app.database import writing
from app.errors import Invalid, NotFound
from app.extensions import db
from app.models import Alias, Mailbox, Number
from app.models.calls import CATCH_ALL
from app.services import audit, fields, mailboxes, number_fields, paging
from app.services.context import settings
from app.services.seen import ANYTHING, Seen, version_of

MAX_LIMIT = 200
PER_PAGE = 50
TAKEN = "This number is there already."
HAS_ONE = "This mailbox has a document of its own already."


@dataclass(frozen=True)
class Details:
    """A number as it is typed, or a mailbox's own document (number is empty). language: empty is the usual one."""

    number: str = ""
    name: str = ""
    language: str = ""
    voice_url: str = ""
    voice_method: str = "POST"
    fallback_url: str = ""
    fallback_method: str = "POST"
    status_callback: str = ""
    status_callback_method: str = "POST"

    @classmethod
    def of(cls, row: Number) -> Details:
        """A number as a form shows it."""
        return cls(**{item.name: getattr(row, item.name) or "" for item in fields_of(cls)})


@dataclass(frozen=True)
class Line:
    """A number in a list. extension: of the mailbox whose own document it is, else empty."""

    number: Number
    extension: str


@dataclass(frozen=True)
class Page:
    """A part of the list. page: from 1; pages: at least 1; total: numbers that match."""

    items: list[Line]
    page: int
    pages: int
    total: int


def create(details: Details, *, extension: str = "", seen: Seen = ANYTHING, actor: str) -> Number:
    """A new number, or (extension) a mailbox's own document. Invalid, NotFound.

    seen: the mailbox that it is for; Replaced.
    """
    box = mailboxes.get(extension, seen=seen) if extension else None
    values = _checked(details, box)
    try:
        with writing():
            if box is not None:
                values["mailbox_id"] = mailboxes.get(extension, locked=True, seen=seen).id
            row = Number(**values)
            db.session.add(row)
            db.session.flush()
            _check_still_free(row)
            audit.record(actor, "number.create", row.id, _called(row, extension))
    except IntegrityError:
        raise Invalid({"mailbox": HAS_ONE} if box else {"number": TAKEN}) from None
    return row


def version(row: Number) -> str:
    """Differs as soon as something changes that the form of a number shows."""
    return version_of(*astuple(Details.of(row)))


def update(number_id: str, details: Details, *, seen: Seen = ANYTHING, actor: str) -> Number:
    """Change a number or a mailbox's own document; Invalid, NotFound.

    seen: what it was when somebody decided this; Changed.
    """
    return _change(number_id, lambda _: details, seen, actor)


def update_fields(number_id: str, sent: Mapping[str, str], *, actor: str) -> Number:
    """Change these fields of Details, and leave the others as they are by then; Invalid, NotFound."""
    return _change(number_id, lambda present: replace(present, **sent), ANYTHING, actor)


def _change(number_id: str, wanted: Callable[[Details], Details], seen: Seen, actor: str) -> Number:
    """Make a number what is wanted of what it is now; nobody else changes it in between."""
    get(number_id)
    try:
        with writing():
            row = _row(number_id)
            box = db.session.get(Mailbox, row.mailbox_id) if row.mailbox_id else None
            before = version(row)
            for key, value in _checked(wanted(Details.of(row)), box, number_id).items():
                setattr(row, key, value)
            seen.check("The document of this mailbox" if box else "This number", before, version(row))
            db.session.flush()
            _check_still_free(row)
            audit.record(actor, "number.update", row.id, _called(row, box.extension if box else ""))
    except IntegrityError:
        raise Invalid({"number": TAKEN}) from None
    return row


def delete(number_id: str, *, actor: str) -> None:
    """A number is answered no more, a mailbox by its greeting again; traces of its calls stay. NotFound."""
    extension = get(number_id).extension
    with writing():
        row = _row(number_id)
        audit.record(actor, "number.delete", row.id, _called(row, extension))
        db.session.delete(row)


def get(number_id: str) -> Line:
    """A number with the extension of its mailbox; NotFound."""
    found = db.session.execute(_LINES.where(Number.id == number_id)).first() if fields.is_id(number_id) else None
    if found is None:
        raise NotFound("There is no such number.")
    return Line(found[0], found[1] or "")


def of_mailbox(mailbox_id: str) -> Number | None:
    """A mailbox's own document."""
    return db.session.scalar(select(Number).where(Number.mailbox_id == mailbox_id))


def find(number: str) -> Number | None:
    """The number of this spelling, or of one that is alike."""
    spelled = number_fields.spelled(number)
    wanted = number_fields.alike(spelled) if number_fields.is_number(spelled) else ()
    rows = {row.number: row for row in db.session.scalars(select(Number).where(Number.number.in_(wanted)))}
    return next((rows[each] for each in wanted if each in rows), None)


def listing(cursor: str | None = None, limit: int = PER_PAGE) -> tuple[list[Line], str | None]:
    """Numbers and mailboxes' own documents, newest first, and the cursor of what follows. Invalid."""
    limit = max(1, min(limit, MAX_LIMIT))
    query = (
        _LINES.where(*paging.after(cursor, Number.created_at, Number.id))
        .order_by(Number.created_at.desc(), Number.id.desc())
        .limit(limit + 1)
    )
    lines = [Line(row, extension or "") for row, extension in db.session.execute(query)]
    last = lines[limit - 1].number if len(lines) > limit else None
    return lines[:limit], paging.cursor_of(last.created_at, last.id) if last else None


def page(search: str = "", page: int = 1, per_page: int = PER_PAGE, *, addresses: bool = True) -> Page:
    """Those whose number, extension, name or address contains the text: numbers first, then mailboxes.

    addresses: False where whoever searches may not see the passwords in them, which he could find letter by letter.
    """
    text = fields.searchable(search)
    searched = [Number.number, Mailbox.extension, func.lower(Number.name)]
    searched += [func.lower(Number.voice_url)] if addresses else []
    matching = [or_(*(column.contains(text.lower(), autoescape=True) for column in searched))] if text else []
    counted = select(func.count()).select_from(Number).outerjoin(Mailbox, Mailbox.id == Number.mailbox_id)
    total = db.session.scalar(counted.where(*matching)) or 0
    pages = max(1, -(-total // per_page))
    page = max(1, min(page, pages))
    order = (Number.mailbox_id.is_not(None), Number.number, func.length(Mailbox.extension), Mailbox.extension)
    query = _LINES.where(*matching).order_by(*order).limit(per_page).offset((page - 1) * per_page)
    return Page([Line(row, extension or "") for row, extension in db.session.execute(query)], page, pages, total)


def warnings(row: Number, allowed: Iterable[str] | None = None) -> list[str]:
    """What stands in the way of a number's documents, as sentences. allowed: networks, else those of the settings."""
    allowed = settings().programmable.allowed_networks if allowed is None else tuple(allowed)
    if not settings().programmable.enabled:
        return ["Programmed calls are switched off in the settings (programmable.enabled)."]
    hosts = (number_fields.hidden_host(url, allowed) for url in (row.voice_url, row.fallback_url, row.status_callback))
    return [
        f"{host} is a private address, so nothing is asked of it; its network can be allowed in the settings"
        " (programmable.allowed_networks)."
        for host in dict.fromkeys(filter(None, hosts))
    ]


def answering(dialled: Sequence[str], extensions: Sequence[str]) -> tuple[Number | None, Mailbox | None]:
    """What answers a call: a number's script, a mailbox with its script or none, the catch-all, or neither.

    dialled: what was dialled, most telling first. extensions: which mailboxes the call may mean, most telling first.
    """
    if not settings().programmable.enabled:
        return None, mailboxes.find(extensions)
    wanted = _wanted(dialled)
    scripts = _candidates(wanted, extensions)
    by_number = {row.number: row for row in scripts if row.number is not None}
    if found := next((by_number[number] for number in wanted if number in by_number), None):
        return found, None
    if box := mailboxes.find(extensions):
        return next((row for row in scripts if row.mailbox_id == box.id), None), box
    return by_number.get(CATCH_ALL), None


_LINES = select(Number, Mailbox.extension).outerjoin(Mailbox, Mailbox.id == Number.mailbox_id)


def _wanted(dialled: Iterable[str]) -> list[str]:
    """The rows that a dialled number may have; nobody dials the catch-all."""
    spelled = [number_fields.spelled(number) for number in dialled]
    wanted = [each for number in spelled if number_fields.is_number(number) for each in number_fields.alike(number)]
    return [number for number in dict.fromkeys(wanted) if number != CATCH_ALL]


def _candidates(numbers: Sequence[str], extensions: Sequence[str]) -> Sequence[Number]:
    """All scripts that may answer, in one question to the database."""
    names = [name for name in dict.fromkeys(extensions) if fields.is_extension(name)]
    which = [Number.number.in_([*numbers, CATCH_ALL])]
    if names:
        # An extension has a row there as well as an alias.
        which.append(Number.mailbox_id.in_(select(Alias.mailbox_id).where(Alias.number.in_(names))))
    return db.session.scalars(select(Number).where(or_(*which))).all()


def _checked(details: Details, box: Mailbox | None, number_id: str | None = None) -> dict[str, str | None]:
    """The values of the columns; Invalid with a sentence per field."""
    with fields.checked() as form:
        number = None
        if box is not None:
            form.say(
                "number",
                "A mailbox's own document has no number: calls to the mailbox run it." if details.number else None,
            )
            form.say("mailbox", HAS_ONE if number_id is None and of_mailbox(box.id) else None)
        elif number := form.check("number", number_fields.number, details.number):
            form.say("number", number_fields.taken(number, number_id))
        default = box.language if box else settings().language
        values = {
            "number": number,
            "name": form.check("name", number_fields.name, details.name),
            "language": form.check("language", fields.language, details.language or default),
            "voice_url": form.check("voice_url", number_fields.voice_url, details.voice_url),
        }
        for name in ("fallback_url", "status_callback"):
            values[name] = form.check(name, number_fields.url, getattr(details, name))
        for name in ("voice_method", "fallback_method", "status_callback_method"):
            values[name] = form.check(name, number_fields.method, getattr(details, name))
    return values


def _check_still_free(row: Number) -> None:
    """Refuse a number that somebody else has got since it was checked; as mailboxes do within their transaction."""
    if row.number and (problem := number_fields.taken(row.number, row.id)):
        raise Invalid({"number": problem})


def _row(number_id: str) -> Number:
    row = db.session.get(Number, number_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound("There is no such number.")
    return row


def _called(row: Number, extension: str) -> str:
    return row.number or f"mailbox {extension}"
