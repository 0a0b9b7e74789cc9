"""Conversations of owners with the real application behind them: its requests as the keeper passes them, its tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.extensions import db
from app.jobs import run
from app.models import Delivery, Event
from app.services import mailboxes, messages, purge
from app.services.mailbox_options import Options
from tests.calls.screenplay import Play
from tests.calls.spooled import finished
from tests.peers.instance import Instance
from voice.flows.check_messages import check_messages
from voice.mailbox import MailboxFacts
from voice.media.recorder import SpoolWriter
from voice.owner import plain
from voice.owner_client import OwnerClient
from voice.owner_store import OwnerStore
from voice.store import Store

EXTENSION, OTHER = "1001", "1002"


class RealApplication(OwnerClient):
    """The application, asked as over the keeper's socket, and what people do to it meanwhile."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(self)
        self.instance = instance
        self.store = Store(instance.settings)
        self._answers = OwnerStore(instance.settings, self.store)

    def ask_owner(self, timeout: float, name: str, arguments: dict[str, Any]) -> Any:
        """As the keeper does: all is text in between."""
        sent = json.loads(json.dumps(arguments))
        return json.loads(json.dumps(plain(self._answers.answer(name, sent))))

    def leave(self, *, uploaded: bool = False) -> str:
        """A message for EXTENSION."""
        entry = finished(self.instance, EXTENSION)
        assert self.store.save(entry.id)
        entry.close()
        with self.instance.app.app_context():
            for row in db.session.scalars(select(Delivery).where(Delivery.message_id == entry.id)).all():
                if uploaded:
                    run.deliver(row.id)
        return entry.id

    def happens(self, what: str) -> None:
        """An EVENT of a play."""
        folder = self.instance.settings.storage.folder
        (first,) = [message.id for message in self.instance.messages(EXTENSION)][:1] or [""]
        with self.instance.app.app_context():
            match what:
                case "the portal deletes it":
                    messages.trash(first, actor="portal")
                case "the portal purges it":
                    purge.purge(first)
                case "the portal changes the PIN":
                    mailboxes.reset_pin(EXTENSION, "773311", actor="portal")
                case "the store leaves":
                    folder.rename(folder.with_name("aside"))
                case "the store returns":
                    folder.with_name("aside").rename(folder)
                case "it breaks":
                    (self.instance.settings.spool_dir / f"{first}.wav").write_bytes(b"what is left of it")
                case "another arrives":
                    self.leave()
                case _:
                    raise AssertionError(what)

    def told(self) -> list[str]:
        """Events of the owner's mailbox, oldest first, without those of new messages."""
        with self.instance.app.app_context():
            names = db.session.scalars(
                select(Event.event).where(Event.mailbox_id == mailboxes.get(EXTENSION).id).order_by(Event.number)
            )
            return [name for name in names if name != "message.created"]


@pytest.fixture
def application(tmp_path: Path) -> Iterator[RealApplication]:
    """Mailboxes 1001 and 1002, PIN 4711, without envelopes."""
    instance = Instance(tmp_path / "instance")
    for extension in (EXTENSION, OTHER):
        instance.mailbox(extension)
    with instance.app.app_context():
        quiet = Options(speaks_envelope=False)
        details = {"name": "", "email": "", "language": "en", "timezone": "UTC"}
        mailboxes.update(EXTENSION, **details, options=quiet, actor="test")
    made = RealApplication(instance)
    yield made
    with made.store.context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def perform(
    application: RealApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], None]]:
    """Plays a call of *97 from 1001."""
    writer = SpoolWriter()
    writer.start()

    def performed(text: str) -> None:
        text = f"SYSTEM welcome\nSYSTEM enter_pin, menu\nOWNER 4711#\n{text}\nOWNER #\nSYSTEM goodbye"
        play = Play(text, application, tmp_path / "recordings")  # type: ignore[arg-type]
        mailbox = MailboxFacts("box", EXTENSION, "Alice", "en", "UTC")
        play.perform(writer, monkeypatch, lambda call, desk: check_messages(call, desk, mailbox))

    yield performed
    writer.stop()


@pytest.mark.parametrize("uploaded", [False, True])
def test_a_message_is_heard_and_counts_as_read(
    application: RealApplication, perform: Callable[[str], None], uploaded: bool
) -> None:
    application.leave(uploaded=uploaded)
    perform("""
        SYSTEM counts(1 0 0), menu
        OWNER 1
        SYSTEM position(1)
        SYSTEM <recording>
        SYSTEM menu
        OWNER *
        SYSTEM menu
    """)
    assert application.told() == ["message.read"]


def test_the_portal_deletes_it_while_it_plays(application: RealApplication, perform: Callable[[str], None]) -> None:
    application.leave()
    perform("""
        SYSTEM counts(1 0 0), menu
        OWNER 1
        SYSTEM position(1)
        SYSTEM <recording>
        EVENT the portal deletes it
        SYSTEM message_gone
        SYSTEM end_of_messages
        SYSTEM menu
    """)
    assert application.told() == ["message.deleted"]


def test_the_portal_purges_it_while_it_plays(application: RealApplication, perform: Callable[[str], None]) -> None:
    application.leave()
    perform("""
        SYSTEM counts(1 0 0), menu
        OWNER 1
        SYSTEM position(1)
        SYSTEM <recording>
        EVENT the portal purges it
        OWNER after 1 s presses 3
        SYSTEM message_gone
        SYSTEM end_of_messages
        SYSTEM menu
    """)
    assert application.told() == ["message.purged"]


def test_the_store_is_away_and_comes_back(application: RealApplication, perform: Callable[[str], None]) -> None:
    application.leave(uploaded=True)
    perform("""
        SYSTEM counts(1 0 0), menu
        EVENT the store leaves
        OWNER 1
        SYSTEM position(1)
        SYSTEM message_away, menu
        EVENT the store returns
        OWNER 1
        SYSTEM <recording>
        OWNER interrupts with *
        SYSTEM menu
    """)


def test_a_broken_message_is_said_to_be_and_deleted(
    application: RealApplication, perform: Callable[[str], None]
) -> None:
    application.leave()
    perform("""
        SYSTEM counts(1 0 0), menu
        EVENT it breaks
        OWNER 1
        SYSTEM position(1)
        SYSTEM message_broken, menu
        OWNER 3
        SYSTEM deleted_now
        SYSTEM end_of_messages
        SYSTEM menu
    """)
    assert application.told() == ["message.deleted"]


def test_the_portal_changes_the_pin_in_mid_call(application: RealApplication, perform: Callable[[str], None]) -> None:
    perform("""
        SYSTEM counts(0 0 0), menu
        OWNER 4
        SYSTEM pin_old
        OWNER 4711#
        SYSTEM pin_length(4 8), pin_rules, pin_new
        EVENT the portal changes the PIN
        OWNER 582914#
        SYSTEM pin_again
        OWNER 582914#
        SYSTEM pin_wrong_old
        SYSTEM pin_unchanged
        SYSTEM menu
    """)
    assert application.told() == ["pin.changed"]


def test_an_old_pin_that_is_none_any_more_is_told_at_once(
    application: RealApplication, perform: Callable[[str], None]
) -> None:
    perform("""
        SYSTEM counts(0 0 0), menu
        EVENT the portal changes the PIN
        OWNER 4
        SYSTEM pin_old
        OWNER 4711#
        SYSTEM pin_wrong_old
        SYSTEM pin_unchanged
        SYSTEM menu
    """)


def test_what_arrives_during_the_call_is_announced(
    application: RealApplication, perform: Callable[[str], None]
) -> None:
    perform("""
        SYSTEM counts(0 0 0), menu
        EVENT another arrives
        OWNER 2
        SYSTEM no_saved
        SYSTEM message_arrived, menu
    """)
