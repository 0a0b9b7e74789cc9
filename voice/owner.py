"""What the owner's flows ask of the application: requests, and answers as plain values.

The keeper answers them (voice/keeper_client.py), in tests a stand-in. What may normally happen is a value; KeeperAway
alone is raised, by every request, where nobody answers in time. A mailbox or message that is no more is None or GONE.
Times are UTC. PINs pass through here and are never logged.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from voice.mailbox import MessageCounts


class Messages(StrEnum):
    """Which messages of a mailbox are meant."""

    NEW = "new"
    SAVED = "saved"


class Sound(StrEnum):
    """How it stands with the audio of a message or greeting.

    AWAY: the store does not answer now. BROKEN: the audio is no sound, or not the one that was stored.
    """

    READY = "ready"
    AWAY = "away"
    BROKEN = "broken"
    GONE = "gone"


class Forwarded(StrEnum):
    """What came of forwarding.

    UNKNOWN: nobody has the extension. REFUSED: the mailbox takes no messages. AWAY: the audio cannot be had now.
    """

    DONE = "done"
    UNKNOWN = "unknown"
    FULL = "full"
    REFUSED = "refused"
    AWAY = "away"
    GONE = "gone"


class PinChange(StrEnum):
    """What came of changing a PIN: DONE, or the first rule that the new one breaks. WRONG: the old one is not right."""

    DONE = "done"
    WRONG = "wrong"
    TOO_SHORT = "too short"
    TOO_LONG = "too long"
    ALL_THE_SAME = "all the same"
    IN_A_ROW = "in a row"
    IS_EXTENSION = "is extension"
    GONE = "gone"


class GreetingKind(StrEnum):
    """What is recorded for a mailbox."""

    UNAVAILABLE = "unavailable"
    BUSY = "busy"
    TEMPORARY = "temporary"
    NAME = "name"


class GreetingChange(StrEnum):
    """What came of setting a greeting. AWAY: the store does not take it now. BROKEN: it is no sound."""

    DONE = "done"
    AWAY = "away"
    BROKEN = "broken"
    GONE = "gone"


@dataclass(frozen=True)
class Opened:
    """A mailbox whose owner has logged in.

    envelope: when and from whom is said before each message. operator: the number that key 0 leads to (the mailbox's,
    else the global one), or empty. pin_shortest, pin_longest: digits that a new PIN may have. nearly_full, full: the
    quota's warning. marker: for arrived(). silence_timeout, min_speech: of recordings; seconds, None for those of the
    settings.
    """

    mailbox_id: str
    extension: str
    language: str
    timezone: str
    envelope: bool = True
    operator: str = ""
    pin_shortest: int = 4
    pin_longest: int = 10
    nearly_full: bool = False
    full: bool = False
    marker: str = ""
    silence_timeout: float | None = None
    min_speech: float | None = None


@dataclass(frozen=True)
class MessageFacts:
    """A message as its owner hears of it.

    duration: seconds. deleted: it is in the trash. forwarded_by: the extension that sent it on, else empty.
    """

    id: str
    caller_number: str
    caller_name: str
    received_at: datetime
    duration: float
    state: Messages
    urgent: bool = False
    deleted: bool = False
    forwarded_by: str = ""


@dataclass(frozen=True)
class Audio:
    """The audio of a message or greeting. path: a WAV in the voice worker's cache, its payloads beside it, if READY."""

    sound: Sound
    path: Path | None = None


@dataclass(frozen=True)
class GreetingFacts:
    """A greeting that is set. ends_at: when a temporary one gives way, None for not at all."""

    kind: GreetingKind
    audio: Audio
    ends_at: datetime | None = None


@dataclass(frozen=True)
class Recipient:
    """A mailbox that messages can be forwarded to. name: its recorded name, where there is one."""

    extension: str
    name: Path | None = None


@dataclass(frozen=True)
class Arrival:
    """What has arrived since a marker: ids of new messages in the order of their play, and the marker for next time."""

    ids: tuple[str, ...]
    marker: str


def plain(value: Any) -> Any:
    """An answer as values that JSON can carry; times in ISO 8601."""
    if is_dataclass(value):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    return value.value if isinstance(value, StrEnum) else value


class OwnerRequests(Protocol):
    """The application as the owner's flows see it. Each method is one request; each raises KeeperAway."""

    def log_in(self, extension: str, pin: str, source: str) -> Opened | None:
        """Open a mailbox. None where the PIN is wrong, nobody has the extension, or its telephone access is locked:
        the three look alike, also in time. source: caller number and address, for the audit."""
        ...

    def open_own(self, extension: str) -> Opened | None:
        """Open the mailbox of the phone that calls, where it trusts its own phone; None where it wants the PIN.
        To be asked only for a caller number that the PBX vouches for."""
        ...

    def counts(self, mailbox_id: str) -> MessageCounts | None:
        """What waits in the mailbox."""
        ...

    def message_ids(self, mailbox_id: str, which: Messages, after: str = "") -> tuple[str, ...]:
        """Ids in the order of their play, urgent ones first, then the oldest: the next 200 at most after this id."""
        ...

    def message(self, mailbox_id: str, message_id: str) -> MessageFacts | None:
        """What is known of a message, deleted or not; None where it is gone for good or not in this mailbox."""
        ...

    def audio(self, mailbox_id: str, message_id: str) -> Audio:
        """The message's audio, fetched where it is not at hand."""
        ...

    def save(self, mailbox_id: str, message_id: str) -> bool:
        """The message counts as read; False where it is gone or deleted."""
        ...

    def delete(self, mailbox_id: str, message_id: str) -> bool:
        """Into the trash; also True where it lies there; False where it is gone."""
        ...

    def undelete(self, mailbox_id: str, message_id: str) -> bool:
        """Out of the trash, in the state it had; also True where it was not there; False where it is gone."""
        ...

    def delete_saved(self, mailbox_id: str) -> tuple[str, ...]:
        """Delete all saved messages; the ids of those deleted, in the order of their play."""
        ...

    def recipient(self, extension: str) -> Recipient | None:
        """The mailbox of this extension or alias, if there is one."""
        ...

    def forward(self, mailbox_id: str, message_id: str, extension: str) -> Forwarded:
        """Put a copy of the message into another mailbox, as a new one."""
        ...

    def pin_is(self, mailbox_id: str, pin: str, source: str) -> bool | None:
        """Whether this is the PIN; a wrong one counts like a failed log-in. None where the mailbox is no more."""
        ...

    def change_pin(self, mailbox_id: str, old: str, new: str, source: str) -> PinChange:
        """Change the PIN; a wrong old one counts like a failed log-in."""
        ...

    def greeting(self, mailbox_id: str, kind: GreetingKind) -> GreetingFacts | None:
        """The greeting of this kind, or None where none is set."""
        ...

    def set_greeting(
        self, mailbox_id: str, kind: GreetingKind, recording: Path, days: int | None = None
    ) -> GreetingChange:
        """Make this recording (G.711 WAV on this host; the file stays the caller's) the greeting of this kind.
        days: after how many a temporary one ends (1: at the end of tomorrow in its zone), None for not at all."""
        ...

    def remove_greeting(self, mailbox_id: str, kind: GreetingKind) -> bool:
        """Remove the greeting; False where none was set."""
        ...

    def arrived(self, mailbox_id: str, marker: str) -> Arrival:
        """New messages that came since the marker was given (Opened.marker, Arrival.marker)."""
        ...
