"""The forms of a mailbox: its details, and what it does on the phone."""

from __future__ import annotations

from dataclasses import asdict, fields
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from flask import request
from flask_wtf.file import FileField
from wtforms import BooleanField, SelectField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its types

from app.config import LANGUAGES
from app.models import Mailbox
from app.services import mailboxes
from app.services.context import settings
from app.services.mailbox_options import Options
from app.web.forms import SeenForm, required
from app.web.words import language_name

LANGUAGE_CHOICES = [SelectChoice(code, language_name(code)) for code in LANGUAGES]
OPTIONS = tuple(item.name for item in fields(Options))
TWOFOLD = ("announcement_only", "trusts_own_phone")
# Those that are yes, no, or as in the settings.
THREEFOLD = ("speaks_envelope", "review")
WORD_OF: dict[bool | None, str] = {None: "", True: "yes", False: "no"}
ATTACHMENT_WORDS = {"none": "Not attached", "wav": "Attached as WAV", "mp3": "Attached as MP3"}
AFTER_MAILING = [
    SelectChoice("keep", "Leave the message as it is"),
    SelectChoice("read", "Mark it as read"),
    SelectChoice("trash", "Move it to the trash"),
]
MEANING_OF = {word: meaning for meaning, word in WORD_OF.items()}


class MailboxDetailsForm(SeenForm):
    """What can be changed of a mailbox. The fields of its options are named as those of Options."""

    extension = StringField("Extension", [required("Type the extension, such as 1001.")])
    name = StringField("Name")
    email = StringField("E-mail addresses")
    language = SelectField("Language of prompts", choices=LANGUAGE_CHOICES)
    timezone = StringField("Time zone")
    aliases = StringField("Other numbers")
    operator = StringField("Operator")
    announcement_only = BooleanField("Announcement only: callers cannot leave a message")
    trusts_own_phone = BooleanField("Trusts its own phone, which logs in by itself")
    speaks_envelope = SelectField("Envelope before each message", default="", validate_choice=False)
    review = SelectField("Review after the pound key", default="", validate_choice=False)
    max_messages = StringField("Most messages")
    max_seconds = StringField("Seconds of all messages")
    max_duration = StringField("Longest message")
    silence_timeout = StringField("Silence that ends a message")
    min_speech = StringField("Speech that a message needs")
    new_days = StringField("New messages")
    saved_days = StringField("Saved messages")
    trash_days = StringField("Trash")
    mail_attachment = SelectField("Recording in the mail", default="", validate_choice=False)
    after_mailing = SelectField("After mailing", default="keep", choices=AFTER_MAILING, validate_choice=False)

    def __init__(self, *arguments: Any, **values: Any) -> None:
        super().__init__(*arguments, **values)
        for name in THREEFOLD:
            general = "yes" if getattr(settings().phone, name) else "no"
            choices = [("", f"As in the settings ({general})"), ("yes", "Yes"), ("no", "No")]
            self._fields[name].choices = [SelectChoice(*choice) for choice in choices]
        words = ATTACHMENT_WORDS[settings().smtp.attachment]
        general = words[0].lower() + words[1:]
        choices = [("", f"As in the settings ({general})"), *ATTACHMENT_WORDS.items()]
        self._fields["mail_attachment"].choices = [SelectChoice(*choice) for choice in choices]

    @classmethod
    def of(cls, mailbox: Mailbox) -> MailboxDetailsForm:
        """The form as it shows a mailbox."""
        options = asdict(Options.of(mailbox))
        details = {name: getattr(mailbox, name) for name in ("extension", "name", "email", "language", "timezone")}
        words = {name: WORD_OF[options[name]] for name in THREEFOLD}
        seen = {"seen_id": mailbox.id, "seen_version": mailboxes.version(mailbox)}
        return cls(data=details | options | words | seen)

    def options(self) -> Options | None:
        """What was sent of the mailbox's options; None where nothing was, as by a program that knows of none."""
        if not any(name in request.form for name in OPTIONS):
            return None
        sent: dict[str, Any] = {name: self.text(name) for name in OPTIONS}
        sent |= {name: bool(self._fields[name].data) for name in TWOFOLD}
        sent |= {name: MEANING_OF.get(sent[name]) for name in THREEFOLD}
        return Options(**sent)

    def faulty_options(self) -> bool:
        """Whether something is wrong with the options, so that they are to be seen."""
        return any(self._fields[name].errors for name in OPTIONS)


class NewMailboxForm(MailboxDetailsForm):
    """A mailbox from the start: without a PIN, one is made."""

    pin = StringField("PIN")
    greeting = FileField("Greeting")


def placeholders() -> dict[str, str]:
    """What empty fields stand for: the values of the settings."""
    general, limits, retention = settings(), settings().limits, settings().retention
    return {
        "operator": general.phone.operator or "none",
        "max_messages": f"{limits.max_messages or 'any number'}",
        "max_seconds": f"{limits.max_seconds or 'any number'}",
        "max_duration": f"{general.max_duration:g}",
        "silence_timeout": f"{general.silence_timeout:g}",
        "min_speech": f"{general.min_speech:g}",
        "new_days": f"{retention.new_days or 'for ever'}",
        "saved_days": f"{retention.saved_days or 'for ever'}",
        "trash_days": f"{retention.trash_days}",
    }


@cache
def timezones() -> list[str]:
    """Names of time zones to choose from."""
    return sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "SystemV/")))
