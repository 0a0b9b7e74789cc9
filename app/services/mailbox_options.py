"""What a mailbox does on the phone, how long it keeps messages, and the numbers that lead to it, as they are typed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select

from app.errors import Invalid
from app.extensions import db
from app.models import Alias, Mailbox, Number
from app.models.mailbox import AFTER_MAILING, ATTACHMENTS, KEEP, NO_ATTACHMENT
from app.services import fields
from app.services.context import settings

MOST_ALIASES = 20
_NUMBER = re.compile(r"\+?[0-9*#]{1,32}", re.ASCII)


@dataclass(frozen=True)
class Options:
    """Options of a mailbox. Empty text and None are the settings of all mailboxes.

    aliases: numbers separated by spaces or commas. max_duration, max_seconds, silence_timeout, min_speech: seconds.
    mail_attachment: none, wav or mp3; after_mailing: keep, read or trash.
    new_days, saved_days: days until the trash, 0 is for ever. trash_days: days in the trash, 0 is none.
    """

    aliases: str = ""
    operator: str = ""
    announcement_only: bool = False
    trusts_own_phone: bool = False
    speaks_envelope: bool | None = None
    review: bool | None = None
    max_messages: str = ""
    max_seconds: str = ""
    max_duration: str = ""
    silence_timeout: str = ""
    min_speech: str = ""
    new_days: str = ""
    saved_days: str = ""
    trash_days: str = ""
    mail_attachment: str = ""
    after_mailing: str = KEEP

    @classmethod
    def of(cls, box: Mailbox) -> Options:
        """The options of a mailbox, as a form shows them."""
        return cls(
            aliases=" ".join(alias.number for alias in box.aliases),
            operator=box.operator or "",
            announcement_only=box.announcement_only,
            trusts_own_phone=box.trusts_own_phone,
            speaks_envelope=box.speaks_envelope,
            review=box.review,
            mail_attachment=box.mail_attachment or "",
            after_mailing=box.after_mailing,
            **{name: _shown(getattr(box, name)) for name in _NUMBERS},
        )


# Field: (least, most, whole numbers only, what it is called in a sentence).
_NUMBERS: dict[str, tuple[float, float, bool, str]] = {
    "max_messages": (1, 1_000_000, True, "The most messages"),
    "max_seconds": (1, 100_000_000, True, "The seconds of all messages"),
    "max_duration": (1, 3600, False, "The longest message"),
    "silence_timeout": (0.5, 60, False, "The silence that ends a message"),
    "min_speech": (0, 60, False, "The speech that a message needs"),
    "new_days": (0, 36_500, True, "The days that new messages stay"),
    "saved_days": (0, 36_500, True, "The days that saved messages stay"),
    "trash_days": (0, 36_500, True, "The days that the trash keeps messages"),
}


def checked(form: fields.Fields, options: Options) -> dict[str, Any]:
    """The values of a mailbox's columns; what is wrong is said in the form."""
    values: dict[str, Any] = {
        "operator": form.check("operator", _operator, options.operator),
        "announcement_only": options.announcement_only,
        "trusts_own_phone": options.trusts_own_phone,
        "speaks_envelope": options.speaks_envelope,
        "review": options.review,
        "mail_attachment": form.check("mail_attachment", _attachment, options.mail_attachment),
        "after_mailing": form.check("after_mailing", _after_mailing, options.after_mailing),
    }
    for name in _NUMBERS:
        values[name] = form.check(name, _number, name, getattr(options, name))
    return values


def check_mailing(form: fields.Fields, email: str | None, attachment: str | None, action: str | None) -> None:
    """Messages may only change by themselves after a mail that goes out with the recording; said in the form if not.

    What is None was wrong by itself.
    """
    if action in (None, KEEP) or email is None:
        return
    smtp = settings().smtp
    if not smtp.host:
        form.say("after_mailing", "No mail server is set ([voicemail.smtp] host), so messages must stay as they are.")
    elif not email:
        form.say("after_mailing", "Without an e-mail address messages must stay as they are.")
    elif (attachment or smtp.attachment) == NO_ATTACHMENT:
        form.say("after_mailing", "Where the recording is not attached to the mail, messages must stay as they are.")


def checked_aliases(form: fields.Fields, options: Options, extension: str) -> list[str]:
    """The aliases that were typed, each once."""
    return form.check("aliases", _aliases, options.aliases, extension) or []


def set_numbers(box: Mailbox, aliases: Iterable[str] | None = None) -> None:
    """Let the mailbox's extension and these aliases lead to it, in the transaction that is open.

    None leaves the aliases as they are. Invalid where a number leads to another mailbox, or is a programmed one.
    """
    rows = {row.number: row for row in db.session.scalars(select(Alias).where(Alias.mailbox_id == box.id))}
    kept = [row.number for row in rows.values() if not row.is_extension] if aliases is None else list(aliases)
    wanted = dict.fromkeys(kept, False) | {box.extension: True}
    _refuse_others(box, wanted)
    for number, row in rows.items():
        if wanted.get(number) is not row.is_extension:
            db.session.delete(row)
    db.session.flush()
    for number, is_extension in wanted.items():
        if number not in rows or rows[number].is_extension is not is_extension:
            db.session.add(Alias(number=number, mailbox_id=box.id, is_extension=is_extension))
    db.session.flush()


def free_numbers(mailbox_id: str) -> None:
    """No number leads to this mailbox any more, in the transaction that is open."""
    db.session.execute(delete(Alias).where(Alias.mailbox_id == mailbox_id))


def _refuse_others(box: Mailbox, wanted: dict[str, bool]) -> None:
    taken = select(Alias.number, Mailbox.extension).join(Mailbox, Mailbox.id == Alias.mailbox_id)
    taken = taken.where(Alias.number.in_(wanted), Alias.mailbox_id != box.id).order_by(Alias.number)
    problems: dict[str, str] = {}
    for number, extension in db.session.execute(taken):
        field = "extension" if wanted[number] else "aliases"
        problems.setdefault(field, f"The number {number} leads to mailbox {extension} already.")
    # A number is the same with a plus sign.
    spelled = {each: number for number in wanted for each in (number, f"+{number}")}
    programmed = select(Number.number).where(Number.number.in_(spelled)).order_by(Number.number)
    for each in filter(None, db.session.scalars(programmed)):
        field = "extension" if wanted[spelled[each]] else "aliases"
        problems.setdefault(field, f"The number {each} is a programmed one (Numbers); delete that first.")
    if problems:
        raise Invalid(problems)


def _operator(value: str) -> str | None:
    value = re.sub(r"[\s().\-/]", "", value)
    if not value:
        return None
    if not _NUMBER.fullmatch(value):
        raise fields.Problem("An operator is a number to dial, such as 100 or +493012345.")
    return value


def _number(name: str, value: str) -> float | int | None:
    least, most, whole, called = _NUMBERS[name]
    text = value.strip().replace(",", ".")
    if not text:
        return None
    form = r"[0-9]{1,9}" if whole else r"[0-9]{1,9}(\.[0-9]{1,3})?"
    if not re.fullmatch(form, text, re.ASCII) or not least <= float(text) <= most:
        kind = "a whole number" if whole else "seconds, a number"
        raise fields.Problem(f"{called}: {kind} from {least:g} to {most:,.15g}, or empty for that of the settings.")
    return int(text) if whole else float(text)


def _aliases(value: str, extension: str) -> list[str]:
    numbers = list(dict.fromkeys(part for part in re.split(r"[\s,;]+", value.strip()) if part))
    if wrong := next((number for number in numbers if not fields.is_extension(number)), None):
        raise fields.Problem(f"An alias is 1 to 20 digits, such as 2001; {wrong[:20]} is not.")
    if len(numbers) > MOST_ALIASES:
        raise fields.Problem(f"A mailbox has at most {MOST_ALIASES} aliases.")
    return [number for number in numbers if number != extension]


def _attachment(value: str) -> str | None:
    if value not in ("", *ATTACHMENTS):
        raise fields.Problem(f"What is attached is one of {', '.join(ATTACHMENTS)}, or as in the settings.")
    return value or None


def _after_mailing(value: str) -> str:
    if value not in AFTER_MAILING:
        raise fields.Problem(f"After mailing, a message is one of {', '.join(AFTER_MAILING)}.")
    return value


def _shown(value: float | int | None) -> str:
    return "" if value is None else f"{value:.15g}"
