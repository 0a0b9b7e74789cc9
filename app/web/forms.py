"""The forms of the portal. What a field may hold is decided by the services; their sentences are shown beside it."""

from __future__ import annotations

from typing import Any

from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import Field, HiddenField, PasswordField, RadioField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its types
from wtforms.validators import DataRequired, EqualTo

from app.errors import Changed, Invalid
from app.models.user import ADMIN, STAFF
from app.services.seen import Seen

ROLE_CHOICES = [SelectChoice(STAFF, "Staff: all mailboxes"), SelectChoice(ADMIN, "Admin: everything")]


def required(sentence: str) -> DataRequired:
    return DataRequired(message=sentence)


class Form(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """A form whose problems may also come from a service."""

    def refuse(self, error: Invalid) -> None:
        """Show each sentence beside its field; those of no field stand above the form."""
        for name, sentence in error.fields.items():
            field: Field | None = self._fields.get(name)
            if field is None:
                self.form_errors.append(sentence)
            else:
                field.errors = [*field.errors, sentence]

    def text(self, name: str) -> str:
        """What was typed into a field, "" for nothing."""
        value: Any = self._fields[name].data
        return value if isinstance(value, str) else ""


class SeenForm(Form):
    """A form that carries what it was made from, which others may change while it is open.

    Without these fields, as programs and pages of earlier versions send it, nothing is compared.
    """

    seen_id = HiddenField()
    seen_version = HiddenField()
    changed = False

    def seen(self) -> Seen:
        """What whoever sends it had before him."""
        return Seen(self.text("seen_id"), self.text("seen_version"))

    def refuse(self, error: Invalid) -> None:
        """As of any form; whoever has read that it changed, and saves again, means to."""
        super().refuse(error)
        if isinstance(error, Changed):
            self.changed, self.seen_version.data = True, error.version


class LoginForm(Form):
    """Name and password."""

    name = StringField("User name", [required("Type your user name.")])
    password = PasswordField("Password", [required("Type your password.")])
    next = HiddenField()


class PinForm(SeenForm):
    """Another PIN: typed, or made when the field is empty."""

    pin = StringField("New PIN")


class GreetingForm(Form):
    """A sound file, and when it gives way where it is a temporary greeting."""

    greeting = FileField("Sound file")
    ends_at = StringField("Until")


class PromptForm(Form):
    """A sound file for a prompt in one language."""

    sound = FileField("Sound file")


class DeleteMailboxForm(SeenForm):
    """The extension again, so that nobody deletes by mistake."""

    confirm = StringField("Extension", [required("Type the extension of this mailbox.")])


class NewUserForm(Form):
    """A person."""

    name = StringField("User name", [required("Type a user name.")])
    password = PasswordField("Password", [required("Type a password.")])
    role = RadioField("Role", choices=ROLE_CHOICES, default=STAFF)


class SetPasswordForm(Form):
    """Another person's password."""

    password = PasswordField("New password", [required("Type the new password.")])


class OwnPasswordForm(Form):
    """One's own password."""

    current = PasswordField("Present password", [required("Type your present password.")])
    password = PasswordField("New password", [required("Type the new password.")])
    again = PasswordField("New password again", [EqualTo("password", message="The two passwords differ.")])


class NewTokenForm(Form):
    """A program's token."""

    name = StringField("Name", [required("Type a name, such as the program that uses it.")])
    extension = StringField("Mailbox")
