"""The application as the owner's flows see it, acted in memory: a few mailboxes, and whatever may happen to them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from voice.errors import KeeperAway
from voice.mailbox import MessageCounts
from voice.media.g711 import Law
from voice.owner import (
    Arrival,
    Audio,
    Forwarded,
    GreetingChange,
    GreetingFacts,
    GreetingKind,
    MessageFacts,
    Messages,
    Opened,
    PinChange,
    Recipient,
    Sound,
)
from voice.prompts import payload_path

YESTERDAY = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
PAGE = 3
MESSAGE_SECONDS = 12


@dataclass
class Box:
    """A mailbox and what is in it."""

    opened: Opened
    pin: str
    messages: dict[str, MessageFacts] = field(default_factory=dict)
    greetings: dict[GreetingKind, GreetingFacts] = field(default_factory=dict)
    trusting: bool = False
    name: Path | None = None
    forwarded: Forwarded = Forwarded.DONE


class Application:
    """Mailboxes 1001 (PIN 4711) and 1002 (PIN 2580). Each request is noted, without PINs' digits."""

    def __init__(self, folder: Path, language: str = "en") -> None:
        self._folder, self._language = folder, language
        folder.mkdir(parents=True, exist_ok=True)
        self.boxes = {number: self._box(number, pin) for number, pin in (("1001", "4711"), ("1002", "2580"))}
        self.away = self.store_away = self.gone = False
        self.broken: set[str] = set()
        self.asked: list[str] = []
        self.arrived_ids: list[str] = []

    def _box(self, number: str, pin: str) -> Box:
        return Box(Opened(f"box-{number}", number, self._language, "UTC", pin_shortest=4, pin_longest=10), pin)

    @property
    def box(self) -> Box:
        """The mailbox most plays are about."""
        return self.boxes["1001"]

    def set(self, **facts: Any) -> None:
        """Change what is known of mailbox 1001."""
        self.box.opened = replace(self.box.opened, **facts)

    def add(self, message_id: str, state: Messages = Messages.NEW, **facts: Any) -> None:
        """A message in mailbox 1001, each a minute younger than the last."""
        at = YESTERDAY + timedelta(minutes=len(self.box.messages))
        facts = {"caller_number": "2003", "caller_name": "Carol", "received_at": at, "duration": 12.0} | facts
        self.box.messages[message_id] = MessageFacts(message_id, state=state, **facts)
        self.sound(message_id)

    def sound(self, name: str) -> Path:
        """A sound that says its name, for MESSAGE_SECONDS."""
        path = self._folder / f"{name}.wav"
        path.write_bytes(b"RIFF")
        for law in Law:
            payload_path(path, law).write_bytes(f"<{name}>".encode().ljust(8000 * MESSAGE_SECONDS, b"\xff"))
        return path

    def happens(self, what: str) -> None:
        """An EVENT of a screenplay."""
        match what.split():
            case ["the", "keeper", state]:
                self.away = state == "leaves"
            case ["the", "store", state]:
                self.store_away = state == "leaves"
            case [message_id, "arrives"]:
                self.add(message_id)
                self.arrived_ids.append(message_id)
            case [message_id, "breaks"]:
                self.broken.add(message_id)
            case ["the", "portal", "deletes", message_id]:
                self._change(message_id, deleted=True)
            case ["the", "portal", "deletes", "the", "mailbox"]:
                self.gone = True
            case ["the", "portal", "purges", message_id]:
                del self.box.messages[message_id]
            case ["the", "portal", "sets", "PIN", pin]:
                self.box.pin = pin
            case _:
                raise AssertionError(f"no such event: {what}")

    # -- OwnerRequests

    def log_in(self, extension: str, pin: str, source: str) -> Opened | None:
        self._note(f"log in {extension} from {source}")
        box = self.boxes.get(extension)
        return box.opened if box and box.pin == pin else None

    def open_own(self, extension: str) -> Opened | None:
        self._note(f"open own {extension}")
        box = self.boxes.get(extension)
        return box.opened if box and box.trusting else None

    def counts(self, mailbox_id: str) -> MessageCounts | None:
        self._note("counts")
        new, saved = self._listed(Messages.NEW), self._listed(Messages.SAVED)
        urgent = [sum(item.urgent for item in items) for items in (new, saved)]
        return MessageCounts(mailbox_id, mailbox_id[4:], len(new), len(saved), urgent[0], urgent[1])

    def message_ids(self, mailbox_id: str, which: Messages, after: str = "") -> tuple[str, ...]:
        self._note(f"{which} after {after or '-'}")
        place = self._order(self.box.messages[after]) if after in self.box.messages else (False,)
        found = [item for item in self._listed(which) if not after or self._order(item) > place]
        return tuple(item.id for item in found[:PAGE])

    def message(self, mailbox_id: str, message_id: str) -> MessageFacts | None:
        self._note(f"message {message_id}")
        return self.box.messages.get(message_id)

    def audio(self, mailbox_id: str, message_id: str) -> Audio:
        self._note(f"audio {message_id}")
        if message_id not in self.box.messages:
            return Audio(Sound.GONE)
        if self.store_away:
            return Audio(Sound.AWAY)
        return Audio(Sound.BROKEN) if message_id in self.broken else Audio(Sound.READY, self._path(message_id))

    def save(self, mailbox_id: str, message_id: str) -> bool:
        self._note(f"save {message_id}")
        found = self.box.messages.get(message_id)
        if found is None or found.deleted:
            return False
        self._change(message_id, state=Messages.SAVED)
        return True

    def delete(self, mailbox_id: str, message_id: str) -> bool:
        self._note(f"delete {message_id}")
        return self._change(message_id, deleted=True)

    def undelete(self, mailbox_id: str, message_id: str) -> bool:
        self._note(f"undelete {message_id}")
        return self._change(message_id, deleted=False)

    def delete_saved(self, mailbox_id: str) -> tuple[str, ...]:
        self._note("delete saved")
        ids = tuple(item.id for item in self._listed(Messages.SAVED))
        for message_id in ids:
            self._change(message_id, deleted=True)
        return ids

    def recipient(self, extension: str) -> Recipient | None:
        self._note(f"recipient {extension}")
        box = self.boxes.get(extension)
        return Recipient(extension, box.name) if box else None

    def forward(self, mailbox_id: str, message_id: str, extension: str) -> Forwarded:
        self._note(f"forward {message_id} to {extension}")
        box = self.boxes[extension]
        if box.forwarded is Forwarded.DONE:
            box.messages[f"copy of {message_id}"] = self.box.messages[message_id]
        return box.forwarded

    def pin_is(self, mailbox_id: str, pin: str, source: str) -> bool | None:
        self._note("PIN is")
        return None if self.gone else pin == self.box.pin

    def change_pin(self, mailbox_id: str, old: str, new: str, source: str) -> PinChange:
        self._note("change PIN")
        if old != self.box.pin:
            return PinChange.WRONG
        if len(new) < self.box.opened.pin_shortest:
            return PinChange.TOO_SHORT
        self.box.pin = new
        return PinChange.DONE

    def greeting(self, mailbox_id: str, kind: GreetingKind) -> GreetingFacts | None:
        self._note(f"greeting {kind}")
        return self.box.greetings.get(kind)

    def set_greeting(
        self, mailbox_id: str, kind: GreetingKind, recording: Path, days: int | None = None
    ) -> GreetingChange:
        self._note(f"set {kind} for {days or 'ever'}")
        assert recording.stat().st_size > 8000
        if self.store_away:
            return GreetingChange.AWAY
        # At the end of the day that is so many days away.
        ends_at = YESTERDAY.replace(hour=0, minute=0) + timedelta(days=2 + days) if days else None
        self.box.greetings[kind] = GreetingFacts(kind, Audio(Sound.READY, self.sound(f"{kind} greeting")), ends_at)
        return GreetingChange.DONE

    def remove_greeting(self, mailbox_id: str, kind: GreetingKind) -> bool:
        self._note(f"remove {kind}")
        return self.box.greetings.pop(kind, None) is not None

    def arrived(self, mailbox_id: str, marker: str) -> Arrival:
        self._note("arrived")
        return Arrival(tuple(self.arrived_ids[int(marker or 0) :]), str(len(self.arrived_ids)))

    def _note(self, what: str) -> None:
        self.asked.append(what)
        if self.away:
            raise KeeperAway("acted")

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.wav"

    def _order(self, item: MessageFacts) -> tuple[Any, ...]:
        return (not item.urgent, item.received_at)

    def _listed(self, which: Messages) -> list[MessageFacts]:
        found = [item for item in self.box.messages.values() if item.state is which and not item.deleted]
        return sorted(found, key=self._order)

    def _change(self, message_id: str, **facts: Any) -> bool:
        found = self.box.messages.get(message_id)
        if found is not None:
            self.box.messages[message_id] = replace(found, **facts)
        return found is not None
