"""Numbers and mailboxes whose calls are answered by documents: which script answers a call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import or_, select

from app.extensions import db
from app.models import Alias, Mailbox, Number
from app.models.calls import CATCH_ALL
from app.services import fields, mailboxes, number_fields
from app.services.context import settings


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
