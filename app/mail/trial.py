"""A mail to try the settings with: what the mailbox would get, sent at once, and what the server says to it."""

from __future__ import annotations

from dataclasses import dataclass

import soundfile
from flask_mail import Attachment

from app.config import PROJECT_ROOT, Settings
from app.database import writing
from app.delivery.errors import DeliveryError, PermanentError
from app.mail import facts, recording
from app.mail.compose import compose
from app.mail.connection import connect
from app.models import Mailbox
from app.models.base import new_id
from app.models.mailbox import NO_ATTACHMENT
from app.services import addresses, after_mailing, audit
from app.storage import AudioSource, StoreError

# Somebody waits for the page.
LONGEST_SECONDS = 8.0
SOUNDS = PROJECT_ROOT / "sounds"


@dataclass(frozen=True)
class Answer:
    """What became of the mail to an address; said: the server's words, or why it was not asked."""

    address: str
    taken: bool
    said: str


def send(box: Mailbox, settings: Settings, *, actor: str) -> list[Answer]:
    """Send an example to each address of a mailbox; an answer for each, empty where it has none."""
    found, extension, mailbox_id = addresses.split(box.email), box.extension, box.id
    about = facts.example(facts.MESSAGE, box, settings)
    attachment = _attachment(about, after_mailing.attachment_of(box), settings)
    with writing():
        audit.record(actor, "mailbox.test_mail", mailbox_id, extension)
    if not settings.smtp.host:
        return [Answer(address, False, "No mail server is set ([voicemail.smtp] host).") for address in found]
    answers: list[Answer] = []
    try:
        with connect(settings, min(settings.smtp.timeout, LONGEST_SECONDS)) as connection:
            for address in found:
                try:
                    letter = compose(about, address, settings, key=new_id(), attachment=attachment)
                    answers.append(Answer(address, True, connection.post(letter)))
                except PermanentError as error:
                    answers.append(Answer(address, False, str(error)))
    except DeliveryError as error:
        # The server is gone, or wants a pause: the rest would get the same answer.
        answers += [Answer(address, False, str(error)) for address in found[len(answers) :]]
    return answers


def _attachment(about: facts.Facts, kind: str, settings: Settings) -> Attachment | None:
    """A sound of ours in place of a message."""
    if kind == NO_ATTACHMENT:
        return None
    try:
        source = AudioSource.of_file(SOUNDS / about.language / "greeting_default.wav")
        return recording.attachment_of(source, kind, about, settings.smtp.attachment_bytes)
    except (StoreError, recording.TooLarge, soundfile.LibsndfileError):
        return None
