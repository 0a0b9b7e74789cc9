"""Messages of a mailbox: the page, its list that renews itself, and what can be done with a message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, current_app, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.config import Settings
from app.models import Message
from app.models.message import DISCARDED, NEW, SAVED
from app.services import events, mailboxes, messages, numbers, phone_access, quota, retention, trimmed
from app.web import greetings, htmx, notices
from app.web.access import actor, login_required
from app.web.event_words import event_words
from app.web.lamps import lamps_card
from app.web.words import caller

blueprint = Blueprint("messages", __name__, url_prefix="/console/voicemail")
PER_PAGE = 50


@dataclass(frozen=True)
class Tab:
    """A view of a mailbox: its name in addresses, its title, and what an empty one says."""

    view: str
    title: str
    empty: str
    advice: str


TABS = (
    Tab("all", "Inbox", "No messages yet", "Call this mailbox from a phone, or press “Place a test call”."),
    Tab("new", "New", "Nothing new", "Messages that nobody has marked as read show up here by themselves."),
    Tab("saved", "Saved", "Nothing saved", "A message that you mark as read is kept here."),
    Tab("trash", "Trash", "The trash is empty", "A deleted message stays here for some days, and can be taken back."),
    Tab(
        "discarded",
        "No speech",
        "No recordings without speech",
        "Recordings in which nobody seemed to speak wait here for some days. Listen, and keep what was one.",
    ),
)
BY_VIEW = {tab.view: tab for tab in TABS}


@blueprint.get("/<extension:extension>")
@login_required
def index(extension: str) -> AnyResponse:
    """The page of a mailbox."""
    settings: Settings = current_app.extensions["settings"]
    context = _inbox(extension)
    mailbox = context["mailbox"]
    return htmx.answer(
        render_template(
            "messages/index.html",
            tabs=TABS,
            greetings=greetings.items(mailbox),
            locked_until=phone_access.locked_until(mailbox),
            quota=quota.of(mailbox),
            happened=[(row.created_at, event_words(row)) for row in events.recent(mailbox.id)],
            retention=settings.retention,
            days=retention.Days.of(mailbox),
            own_document=numbers.of_mailbox(mailbox.id),
            programmed=settings.programmable.enabled,
            **(lamps_card(mailbox) | context),
        )
    )


@blueprint.get("/<extension:extension>/messages")
@login_required
def poll(extension: str) -> AnyResponse:
    """The list again, or nothing (204) where the mailbox is still as the page shows it."""
    if request.args.get("version") == messages.inbox_version(extension):
        return htmx.unchanged()
    return htmx.answer(render_template("messages/_inbox.html", **_inbox(extension)))


@blueprint.get("/messages/<id:message_id>")
@login_required
def show(message_id: str) -> AnyResponse:
    """Where a message is: the part of its mailbox's list that has it. Mails link here."""
    message = messages.get(message_id)
    view, cursor = messages.place_of(message, PER_PAGE)
    page = url_for(
        "messages.index",
        extension=message.mailbox.extension,
        view=None if view == "all" else view,
        cursor=cursor,
        _anchor=f"message-{message.id}",
    )
    return htmx.go(page)


@blueprint.post("/messages/<id:message_id>/read")
@login_required
def read(message_id: str) -> AnyResponse:
    """Mark a message as read: from then on it is a saved one."""
    return _after(messages.mark(message_id, SAVED, actor=actor()))


@blueprint.post("/messages/<id:message_id>/unread")
@login_required
def unread(message_id: str) -> AnyResponse:
    """Mark a message as new again."""
    return _after(messages.mark(message_id, NEW, actor=actor()))


@blueprint.post("/messages/<id:message_id>/delete")
@login_required
def delete(message_id: str) -> AnyResponse:
    """Put a message into the trash, and offer to take it back."""
    message = messages.trash(message_id, actor=actor())
    notices.tell(
        f"The message from {caller(message)} is in the trash.",
        undo=url_for("messages.restore", message_id=message.id),
        fields={"view": _view(), "cursor": _cursor()},
    )
    return _after(message)


@blueprint.post("/messages/<id:message_id>/restore")
@login_required
def restore(message_id: str) -> AnyResponse:
    """Take a message out of the trash."""
    message = messages.restore(message_id, actor=actor())
    notices.tell(f"The message from {caller(message)} is back.")
    return _after(message)


@blueprint.post("/messages/<id:message_id>/keep")
@login_required
def keep(message_id: str) -> AnyResponse:
    """Make a message of a recording without speech."""
    message = messages.keep(message_id, actor=actor())
    notices.tell(f"The recording from {caller(message)} is a message now.")
    return _after(message)


def _after(message: Message) -> AnyResponse:
    """The list as it is after an act, at the part of it that was shown: the fragment, or the page again."""
    extension, view, cursor = message.mailbox.extension, _view(), _cursor()
    if not htmx.wanted():
        view_named = None if view == "all" else view
        return htmx.go(url_for("messages.index", extension=extension, view=view_named, cursor=cursor or None))
    return htmx.answer(render_template("messages/_inbox.html", **_inbox(extension)))


def _inbox(extension: str) -> dict[str, Any]:
    """What the list shows. The version is read first: a change in between is found by the next poll."""
    version = messages.inbox_version(extension)
    view, cursor = _view(), _cursor()
    rows, following = messages.listing(extension, view=view, cursor=cursor, limit=PER_PAGE)
    return {
        "mailbox": mailboxes.get(extension),
        "messages": rows,
        "following": following,
        "cursor": cursor,
        "counts": messages.counts(extension),
        "tab": BY_VIEW[view],
        "version": version,
        "trimmed": trimmed.kept(current_app.extensions["settings"]),
        "is_discarded": lambda message: message.state == DISCARDED,
    }


def _view() -> str:
    view = request.values.get("view", "all")
    return view if view in BY_VIEW else "all"


def _cursor() -> str:
    """Where the page that is shown begins; "" for the newest messages."""
    return request.values.get("cursor", "")
